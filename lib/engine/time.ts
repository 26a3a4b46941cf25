/** A time that PostgreSQL stores and ISO 8601 writes with four digits, from year 1 to 9999. Of any realm: a test runner's Date is another. */
export function isStorableTime(value: unknown): value is Date {
  try {
    // Not the value's own method: anything may say that it is a Date, and only one has what this reads.
    const year = Date.prototype.getUTCFullYear.call(value as Date);
    return year >= 1 && year <= 9_999;
  } catch {
    return false;
  }
}

/** How `isStorableTime` is put into words. */
export const TIME_FORM = 'a Date from year 1 to 9999';

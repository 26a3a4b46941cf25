/** A time that PostgreSQL stores and ISO 8601 writes with four digits, from year 1 to 9999. Of any realm: a test runner's Date is another. */
export function isStorableTime(value: unknown): value is Date {
  if (Object.prototype.toString.call(value) !== '[object Date]') return false;
  const year = (value as Date).getUTCFullYear();
  return year >= 1 && year <= 9_999;
}

/** How `isStorableTime` is put into words. */
export const TIME_FORM = 'a Date from year 1 to 9999';

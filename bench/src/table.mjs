/** The rows, one per system, as a table with one column per figure, and the ratio of the first system to each other one. */
export function toTable(medians) {
  const names = Object.keys(medians);
  const columns = Object.keys(medians[names[0]]);
  const rows = names.map((name) => [name, ...columns.map((column) => toText(medians[name][column]))]);
  const ratios = names
    .slice(1)
    .map((peer) => [
      `${names[0]} / ${peer}`,
      ...columns.map((column) => toRatio(medians[names[0]][column], medians[peer][column])),
    ]);
  return align([['', ...columns], ...rows, ...ratios]);
}

/** Column by column; null where nothing was measured. */
export function toMedians(rounds) {
  const columns = Object.keys(rounds[0]);
  return Object.fromEntries(columns.map((column) => [column, median(rounds.map((round) => round[column]))]));
}

function median(values) {
  if (values.includes(null)) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function toText(value) {
  if (value === null) return '–';
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 10 ? 1 : 2);
}

function toRatio(ours, theirs) {
  if (ours === null || theirs === null || theirs === 0) return '–';
  const ratio = ours / theirs;
  return `${ratio.toFixed(ratio >= 10 ? 1 : 2)} ×`;
}

function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const toLine = (row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return rows.map(toLine).join('\n');
}

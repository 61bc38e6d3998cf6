/** Stretches of sequences that are stored without a hole: ascending, apart from one another. */

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Kept per conversation; the lowest go first. */
export const RANGES_MAX = 32;

/** With one more range; those that touch become one. */
export function withRange(ranges: readonly Range[], { from, to }: Range): readonly Range[] {
  if (to < from) return ranges;
  const apart = ranges.filter((one) => one.to + 1 < from || one.from > to + 1);
  const joined = ranges.filter((one) => !apart.includes(one));
  const whole = {
    from: Math.min(from, ...joined.map((one) => one.from)),
    to: Math.max(to, ...joined.map((one) => one.to)),
  };
  return [...apart, whole].sort((a, b) => a.from - b.from).slice(-RANGES_MAX);
}

/** Without what is below a sequence. */
export function rangesFrom(ranges: readonly Range[], from: number): readonly Range[] {
  return ranges
    .filter(({ to }) => to >= from)
    .map((range) => ({ from: Math.max(range.from, from), to: range.to }));
}

/** The range that ends at `before`, or has it inside; without `before`: the last one. */
export function rangeBelow(
  ranges: readonly Range[],
  before: number | undefined,
): Range | undefined {
  if (before === undefined) return ranges.at(-1);
  return ranges.find(({ from, to }) => from < before && to >= before - 1);
}

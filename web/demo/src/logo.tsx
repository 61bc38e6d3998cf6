/** The wild goose that carries letters, and the skein it flies in. */

/** A goose in flight, seen from the side. Takes the colour of the text. */
export function Goose({ className }: { className?: string }) {
  return (
    <svg className={className} viewBox="0 0 48 32" aria-hidden="true" fill="currentColor">
      <path d={GOOSE} />
    </svg>
  );
}

export const GOOSE =
  "M47 7.400c-3.300-1.500-6-1-8 .9l-6.400 6.200c-4.400-1.700-11.800-6.700-18.600-14.500.5 9.300 4.300 16.300 10.300 20.300-4.700 2.100-9.700 3.300-15.800 3.600 5 4.100 13.300 5.200 19.700 4.200 6-1.100 9.700-5 11.800-10.400l1.900-4.700c.7-1.700 2.400-3.600 5.100-5.600z";

export function Logo() {
  return (
    <span className="logo">
      <span className="logo-seal">
        <Goose />
      </span>
      <span className="logo-name">
        鸿雁 <span lang="en">Anser</span>
      </span>
    </span>
  );
}

const SKEIN = [
  [300, 92, 1],
  [246, 116, 0.82],
  [318, 142, 0.8],
  [194, 138, 0.68],
  [330, 190, 0.64],
  [146, 158, 0.56],
  [338, 234, 0.52],
] as const;

/** Autumn hills under a moon, geese passing. Decoration only. */
export function Landscape() {
  return (
    <svg className="landscape" viewBox="0 0 480 640" preserveAspectRatio="xMidYMax slice" aria-hidden="true">
      <circle className="moon" cx="348" cy="176" r="92" />
      <g className="skein">
        {SKEIN.map(([x, y, size]) => (
          <path key={`${x}-${y}`} transform={`translate(${x} ${y}) scale(${size})`} d={GOOSE} />
        ))}
      </g>
      <path className="hill hill-far" d="M0 430C60 396 110 372 168 400c54 26 86 12 132-22 54-40 112-34 180 14v248H0z" />
      <path className="hill hill-mid" d="M0 500c70-46 132-40 196-8 66 34 120 20 176-14 40-24 76-28 108-18v180H0z" />
      <path className="hill hill-near" d="M0 572c92-40 176-30 256-8 82 22 152 16 224-18v94H0z" />
      <g className="reeds">
        <path d="M70 640c4-60 2-104-16-150M92 640c0-52 8-92 30-128M112 640c-2-34 2-62 14-92M58 640c-6-40-16-70-34-94" />
        <path d="M410 640c-2-44 4-82 22-114M428 640c2-30 12-56 30-78M396 640c-4-34-12-62-26-86" />
      </g>
    </svg>
  );
}

/** The wild goose that carries letters, and the skein it flies in. */

/** A goose in flight, seen from the side. Takes the colour of the text. */
export function Goose({ className }: { className?: string }) {
  return (
    <svg className={className} viewBox="0 0 64 36" aria-hidden="true" fill="currentColor">
      <path d={GOOSE} />
    </svg>
  );
}

const GOOSE =
  "M63 12.8c-2.6-2-5.6-2.1-7.7-.2-4.6 4.2-9.8 6.9-15.3 7.4C35.5 12 27.5 4.5 15 .5c1 7.8 3.6 14.3 8.2 19.9C15.5 21.3 8 23.9 1 28.4c6.5.3 12.5 1.8 19 4.1 9.5 2.4 18.5-.6 25.5-6.7 4-3.5 7.4-6.5 11.1-9.3 2.3-.4 4.7-1.7 6.4-3.7z";

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
  [298, 92, 0.94],
  [234, 118, 0.78],
  [308, 142, 0.76],
  [180, 142, 0.64],
  [320, 190, 0.6],
  [132, 164, 0.52],
  [328, 234, 0.48],
] as const;

/** Autumn hills under a moon, geese passing. Decoration only. */
export function Landscape() {
  return (
    <svg
      className="landscape"
      viewBox="0 0 480 640"
      preserveAspectRatio="xMidYMax slice"
      aria-hidden="true"
    >
      <circle className="moon" cx="348" cy="176" r="92" />
      <g className="skein">
        {SKEIN.map(([x, y, size]) => (
          <path key={`${x}-${y}`} transform={`translate(${x} ${y}) scale(${size})`} d={GOOSE} />
        ))}
      </g>
      <path
        className="hill hill-far"
        d="M0 430C60 396 110 372 168 400c54 26 86 12 132-22 54-40 112-34 180 14v248H0z"
      />
      <path
        className="hill hill-mid"
        d="M0 500c70-46 132-40 196-8 66 34 120 20 176-14 40-24 76-28 108-18v180H0z"
      />
      <path className="hill hill-near" d="M0 572c92-40 176-30 256-8 82 22 152 16 224-18v94H0z" />
      <g className="reeds">
        <path d="M70 640c4-60 2-104-16-150M92 640c0-52 8-92 30-128M112 640c-2-34 2-62 14-92M58 640c-6-40-16-70-34-94" />
        <path d="M410 640c-2-44 4-82 22-114M428 640c2-30 12-56 30-78M396 640c-4-34-12-62-26-86" />
      </g>
    </svg>
  );
}

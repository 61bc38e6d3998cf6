/** Line icons, drawn for this page. Decoration: the buttons around them have names. */
const PATHS = {
  plus: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  send: "M4 12l16-8-6 16-3-6.5z",
  people:
    "M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20c.4-3.6 3-5.5 6.5-5.5s6.1 1.9 6.5 5.5M16 4.3a3.3 3.3 0 010 6.4M18 14.8c2 .7 3.2 2.4 3.5 5.2",
  leave: "M14 4h4a2 2 0 012 2v12a2 2 0 01-2 2h-4M10 8l-4 4 4 4M6 12h10",
  window:
    "M5 8h10a1 1 0 011 1v10a1 1 0 01-1 1H5a1 1 0 01-1-1V9a1 1 0 011-1zM9 8V5a1 1 0 011-1h9a1 1 0 011 1v9a1 1 0 01-1 1h-3",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 5v14M6 13l6 6 6-6",
  check: "M5 12.5l4.5 4.5L19 7.5",
  checks: "M2 12.5l4.5 4.5L16 7.5M10.5 15l2 2L22 7.5",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  live: "M4 7h10a1 1 0 011 1v8a1 1 0 01-1 1H4a1 1 0 01-1-1V8a1 1 0 011-1zM15 11l5-3v8l-5-3",
  microphone:
    "M12 14.5a3 3 0 003-3v-5a3 3 0 00-6 0v5a3 3 0 003 3zM6 11.5a6 6 0 0012 0M12 17.5V21M9 21h6",
  heart: "M12 20s-8-5-8-10.5A4.3 4.3 0 0112 7a4.3 4.3 0 018 2.5C20 15 12 20 12 20z",
  pin: "M9 4h6l-1 6 3 3H7l3-3zM12 13v7",
  mute: "M6 16V11a6 6 0 019-5.2M18 11v5M4 16h12M10 19.5a2 2 0 004 0M4 4l16 16",
  picture:
    "M5 5h14a1 1 0 011 1v12a1 1 0 01-1 1H5a1 1 0 01-1-1V6a1 1 0 011-1zM4.5 17l5-5 3.5 3.5 2.5-2.5 4 4M15.5 9.2v.1",
  file: "M7 3.5h7l4.5 4.5v11a1.5 1.5 0 01-1.5 1.5H7A1.5 1.5 0 015.5 19V5A1.5 1.5 0 017 3.5zM13.5 4v4.5H18",
  clock: "M12 21a9 9 0 100-18 9 9 0 000 18zM12 7.5V12l3 2",
  alert: "M12 21a9 9 0 100-18 9 9 0 000 18zM12 7.5v5.5M12 16.2v.2",
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

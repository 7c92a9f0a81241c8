const PATHS = {
  shelf: 'M4 20V5h4v15M8 20V8h4v12M12.6 8.4l3.9-1 3.3 12.2M3 20h18',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM15.5 15.5 21 21',
  runs: 'M12 21a9 9 0 1 0-9-9M3 5v7h7M12 7.5V12l3 2',
  quill: 'M4 20c2-9 7-15 16-16-1 8-6 12-12 12M4 20l5-7M13 10l-4 3',
  settings: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 9.5v-5M8 19.5v-5',
  file: 'M6 3h8l4 4v14H6zM14 3v5h4',
  folder: 'M3 6h6l2 2h10v11H3z',
  close: 'M5 5l14 14M19 5 5 19',
  chevron: 'M9 5l7 7-7 7',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  enlarge: 'M9 4H4v5M15 20h5v-5M4 4l6 6M20 20l-6-6',
  list: 'M4 6h16M4 12h16M4 18h10',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, className = 'size-4' }: { name: IconName; className?: string }) {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      className={`flex-none ${className}`}
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

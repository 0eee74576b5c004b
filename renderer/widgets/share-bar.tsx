/** How a whole divides: one stacked bar and its legend, with the numbers in words. */
import { formatBytes, formatShare } from '../text/format.ts';

export interface ShareBarProps {
  readonly label: string;
  /** Largest first. */
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

const COLOURS = ['--chart-1', '--chart-2', '--chart-3', '--chart-4', '--chart-5', '--chart-6'];

export function ShareBar({ label, parts }: ShareBarProps) {
  const total = parts.reduce((sum, part) => sum + part.bytes, 0);
  return (
    <figure className="share" aria-label={label}>
      <div className="share-bar" aria-hidden>
        {parts.map(({ name, bytes }, index) => (
          <span key={name} className="share-part" style={{ flexGrow: bytes, background: colour(index) }} />
        ))}
      </div>
      <figcaption className="share-legend">
        {parts.map(({ name, bytes }, index) => (
          <span key={name} className="share-key">
            <span className="share-dot" style={{ background: colour(index) }} aria-hidden />
            {name}{' '}
            <span className="muted numeric">
              {formatBytes(bytes)}, {formatShare(bytes / total)}
            </span>
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function colour(index: number): string {
  return `var(${COLOURS[index % COLOURS.length]})`;
}

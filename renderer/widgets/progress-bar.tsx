/** How far something is; a moving band where the whole is not known. */
import { Progress } from '@base-ui/react/progress';

export interface ProgressBarProps {
  readonly label: string;
  readonly done: number;
  readonly total: number | null;
}

export function ProgressBar({ label, done, total }: ProgressBarProps) {
  const value = total === null || total <= 0 ? null : Math.min(100, (100 * done) / total);
  return (
    <Progress.Root className="progress" value={value} aria-label={label}>
      <Progress.Track className="progress-track">
        <Progress.Indicator className="progress-fill" />
      </Progress.Track>
    </Progress.Root>
  );
}

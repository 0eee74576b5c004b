/** What a verification of the report found; each check can be looked at. */
import { CircleCheck, CircleX, X } from 'lucide-react';
import { useReports } from '../../stores/reports.ts';
import { REPORT } from '../../text/run.ts';
import { SHELL } from '../../text/shell.ts';
import { IconButton } from '../../widgets/button.tsx';

export function VerificationBanner({ id }: { readonly id: string }) {
  const result = useReports((state) => state.verifications[id]);
  if (result === undefined) return null;
  const passed = result.checks.filter((check) => check.status === 'passed').length;
  const Icon = result.status === 'verified' ? CircleCheck : CircleX;
  return (
    <section className={`banner verification verification-${result.status}`} role="status">
      <Icon className="icon" aria-hidden />
      <details className="verification-details">
        <summary>
          <strong>{REPORT[result.status]}.</strong> {REPORT.verdicts[result.status]}{' '}
          <span className="muted">{REPORT.checks(passed, result.checks.length)}</span>
        </summary>
        <ul className="verification-checks">
          {result.checks.map((check) => (
            <li key={`${check.name}${check.detail}`} className={`check-${check.status}`}>
              <span className="check-status">{REPORT.check[check.status]}</span>
              <span>{check.name}</span>
              <span className="muted">{check.detail}</span>
            </li>
          ))}
        </ul>
      </details>
      <IconButton icon={X} label={SHELL.dismiss} onClick={() => dismiss(id)} />
    </section>
  );
}

function dismiss(id: string): void {
  useReports.setState(({ verifications }) => ({
    verifications: Object.fromEntries(Object.entries(verifications).filter(([key]) => key !== id)),
  }));
}

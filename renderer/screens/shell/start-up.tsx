/** Before there is a host to work with: connecting, or why it cannot. */
import { RotateCw } from 'lucide-react';
import { useEffect, useState } from 'react';
import icon from '../../icon.svg';
import { useSession } from '../../stores/session.ts';
import { retryStudio } from '../../stores/start.ts';
import { SHELL } from '../../text/shell.ts';
import { Button } from '../../widgets/button.tsx';
import { ErrorCard } from '../../widgets/error-card.tsx';
import { ProgressBar } from '../../widgets/progress-bar.tsx';

/** A host that answers at once is not announced; milliseconds. */
const QUIET = 300;

export function StartUp() {
  const { status, error } = useSession();
  const [quiet, setQuiet] = useState(true);
  useEffect(() => {
    const timer = setTimeout(() => setQuiet(false), QUIET);
    return () => clearTimeout(timer);
  }, []);
  if (status === 'failed' && error !== null) {
    return (
      <main className="start-up">
        <img className="start-up-mark" src={icon} alt="" />
        <h1 className="start-up-title">{SHELL.failed}</h1>
        <ErrorCard
          error={error}
          actions={
            <Button weight="primary" icon={RotateCw} onClick={retryStudio}>
              {SHELL.tryAgain}
            </Button>
          }
        />
      </main>
    );
  }
  if (quiet) return <main className="start-up" aria-busy="true" />;
  return (
    <main className="start-up" aria-busy="true">
      <img className="start-up-mark" src={icon} alt="" />
      <h1 className="start-up-title">{SHELL.starting}</h1>
      <p className="start-up-text">{SHELL.startingDetail}</p>
      <ProgressBar label={SHELL.starting} done={0} total={null} />
    </main>
  );
}

/** The first screen of a new user: where to drop, and what then happens. */
import { FileUp, PackageOpen } from 'lucide-react';
import { pickAndTake } from '../../stores/intake.ts';
import { useSession } from '../../stores/session.ts';
import { LIBRARY } from '../../text/library.ts';
import { Button } from '../../widgets/button.tsx';
import { OpenPath } from './open-model.tsx';

export function EmptyLibrary() {
  const host = useSession((session) => session.hello?.host);
  return (
    <div className="welcome">
      <section className="drop-zone" aria-labelledby="drop-title">
        <PackageOpen className="drop-zone-icon" aria-hidden />
        <h2 className="drop-zone-title" id="drop-title">
          {LIBRARY.empty.title}
        </h2>
        <p className="drop-zone-text">{LIBRARY.empty.lead}</p>
        <div className="drop-zone-actions">
          <Button weight="primary" icon={FileUp} onClick={() => void pickAndTake('model')}>
            {LIBRARY.chooseModel}
          </Button>
          {host === 'browser' ? <OpenPath /> : null}
        </div>
      </section>
      <ol className="welcome-steps">
        {LIBRARY.empty.steps.map(({ title, text }) => (
          <li key={title} className="welcome-step">
            <h3 className="welcome-step-title">{title}</h3>
            <p className="welcome-step-text">{text}</p>
          </li>
        ))}
      </ol>
    </div>
  );
}

/** The ways to open a model besides dropping it: the dialog and, over the browser host, a path on the engine's machine. */
import { FileUp } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { type ErrorData, toHoneError } from '../../../native-workers/protocol/errors.ts';
import { grantPath, pickAndTake, takeGrants } from '../../stores/intake.ts';
import { useSession } from '../../stores/session.ts';
import { LIBRARY } from '../../text/library.ts';
import { Button } from '../../widgets/button.tsx';

export function OpenModel() {
  const host = useSession((session) => session.hello?.host);
  return (
    <div className="open-model">
      <span className="open-model-hint">{LIBRARY.dropHint}</span>
      <Button icon={FileUp} onClick={() => void pickAndTake('model')}>
        {LIBRARY.chooseModel}
      </Button>
      {host === 'browser' ? <OpenPath /> : null}
    </div>
  );
}

/** A model that is on the engine's machine already need not be sent to it. */
export function OpenPath() {
  const [path, setPath] = useState('');
  const [error, setError] = useState<ErrorData | null>(null);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setError(null);
    grantPath(path.trim())
      .then((grant) => takeGrants([grant]))
      .catch((thrown: unknown) => setError(toHoneError(thrown).toData()));
  };
  return (
    <form className="open-path" onSubmit={submit}>
      <input
        className="input open-path-input"
        aria-label={LIBRARY.path}
        aria-invalid={error !== null}
        aria-describedby="open-path-error"
        placeholder={LIBRARY.pathHint}
        title={LIBRARY.path}
        spellCheck={false}
        value={path}
        onChange={(event) => {
          setPath(event.target.value);
          setError(null);
        }}
      />
      <Button type="submit" disabled={path.trim() === ''}>
        {LIBRARY.openPath}
      </Button>
      <span className="open-path-error" id="open-path-error" role="alert">
        {error?.message}
      </span>
    </form>
  );
}

/** A file or folder that the user gives: chosen, dropped on the field, or (browser host) named by its path. */
import { Eye, File, FolderClosed, X } from 'lucide-react';
import { type FormEvent, useId, useState } from 'react';
import { toHoneError } from '../../../native-workers/protocol/errors.ts';
import type { Grant } from '../../../native-workers/protocol/studio.ts';
import { grantPath, grantsOfDrop, pickGrants } from '../../stores/intake.ts';
import { useSession } from '../../stores/session.ts';
import { formatBytes } from '../../text/format.ts';
import { LIBRARY } from '../../text/library.ts';
import { DATA } from '../../text/new-run.ts';
import { Button, IconButton } from '../../widgets/button.tsx';
import { Cut } from '../../widgets/cut.tsx';

export interface GrantFieldProps {
  readonly label: string;
  readonly hint: string;
  readonly value: Grant | null;
  readonly filesOnly?: boolean;
  /** Shows what is in it. */
  readonly onPreview?: (grant: Grant) => void;
  readonly onChange: (grant: Grant | null) => void;
}

export function GrantField({ label, hint, value, filesOnly, onPreview, onChange }: GrantFieldProps) {
  const id = useId();
  const host = useSession((session) => session.hello?.host);
  const [over, setOver] = useState(false);
  const take = async (grants: Promise<readonly Grant[]>): Promise<void> => {
    const [grant] = await grants;
    if (grant !== undefined) onChange(grant);
  };
  return (
    <section
      className="field grant-field"
      aria-labelledby={id}
      data-over={over || undefined}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes('Files')) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        setOver(false);
        if (!event.dataTransfer.types.includes('Files')) return;
        // The window sees that the drop was taken.
        event.preventDefault();
        void take(grantsOfDrop(event.dataTransfer));
      }}
    >
      <span className="field-label" id={id}>
        {label}
      </span>
      {value === null ? (
        <>
          <span className="grant-choices">
            <Button icon={File} onClick={() => void take(pickGrants('data'))}>
              {DATA.chooseFile}
            </Button>
            {filesOnly === true ? null : (
              <Button icon={FolderClosed} onClick={() => void take(pickGrants('folder'))}>
                {DATA.chooseFolder}
              </Button>
            )}
            {host === 'browser' ? <PathForm label={label} onGrant={onChange} /> : null}
          </span>
          <span className="field-hint">{hint}</span>
        </>
      ) : (
        <span className="grant">
          {value.kind === 'folder' ? (
            <FolderClosed className="icon" aria-hidden />
          ) : (
            <File className="icon" aria-hidden />
          )}
          <Cut text={value.name} />
          <span className="muted numeric">{value.bytes === null ? '' : formatBytes(value.bytes)}</span>
          {onPreview === undefined ? null : (
            <IconButton icon={Eye} label={DATA.preview(label)} onClick={() => onPreview(value)} />
          )}
          <IconButton icon={X} label={DATA.clear(label)} onClick={() => onChange(null)} />
        </span>
      )}
    </section>
  );
}

interface PathFormProps {
  readonly label: string;
  readonly onGrant: (grant: Grant) => void;
}

function PathForm({ label, onGrant }: PathFormProps) {
  const [path, setPath] = useState('');
  const [problem, setProblem] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (path.trim() === '') return;
    grantPath(path.trim()).then(onGrant, (thrown: unknown) => setProblem(toHoneError(thrown).message));
  };
  return (
    <form className="grant-path" onSubmit={submit}>
      <input
        className="input"
        aria-label={`${label}: ${LIBRARY.path}`}
        aria-invalid={problem !== ''}
        placeholder={DATA.orPath}
        title={problem === '' ? LIBRARY.path : problem}
        spellCheck={false}
        value={path}
        onChange={(event) => {
          setPath(event.target.value);
          setProblem('');
        }}
        onBlur={(event) => {
          if (event.target.value.trim() !== '') submit(event);
        }}
      />
      {problem === '' ? null : (
        <span className="field-problem" role="alert">
          {problem}
        </span>
      )}
    </form>
  );
}

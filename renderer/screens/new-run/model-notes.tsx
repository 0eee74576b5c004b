/** What should be known of a model before it is changed, and what can be done about it at once. */
import { Check, Info, Plus, TriangleAlert } from 'lucide-react';
import type { InspectFacts } from '../../../native-workers/protocol/facts.ts';
import type { PassInfo } from '../../../native-workers/protocol/studio.ts';
import { addStep, useDraft } from '../../stores/draft.ts';
import { useSession } from '../../stores/session.ts';
import { MODEL } from '../../text/new-run.ts';
import { isHeeded, remedyOf } from '../../text/notes.ts';
import { Button } from '../../widgets/button.tsx';

type Note = InspectFacts['notes'][number];

export function ModelNotes({ notes }: { readonly notes: readonly Note[] }) {
  const passes: readonly PassInfo[] = useSession((session) => session.hello?.passes) ?? [];
  const heededFirst = notes.toSorted((left, right) => Number(isHeeded(right.code)) - Number(isHeeded(left.code)));
  return (
    <section className="pane" aria-labelledby="notes">
      <h2 className="pane-title" id="notes">
        {MODEL.notes}
      </h2>
      {notes.length === 0 ? (
        <p className="pane-text muted">{MODEL.noNotes}</p>
      ) : (
        <ul className="notes">
          {heededFirst.map((note) => (
            <li key={`${note.code}${note.node ?? ''}${note.message}`} className="note">
              {isHeeded(note.code) ? (
                <TriangleAlert className="icon note-icon note-heeded" aria-hidden />
              ) : (
                <Info className="icon note-icon" aria-hidden />
              )}
              <div className="note-body">
                {note.message}
                {note.node === undefined ? null : <code className="note-node">{note.node}</code>}
                <Remedy pass={passes.find((pass) => pass.id === remedyOf(note.code))} />
              </div>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Remedy({ pass }: { readonly pass: PassInfo | undefined }) {
  const isThere = useDraft((draft) => draft.steps.some((step) => step.pass === pass?.id));
  if (pass === undefined) return null;
  return isThere ? (
    <span className="note-done">
      <Check className="icon icon-small" aria-hidden />
      {MODEL.remedyThere(pass.title)}
    </span>
  ) : (
    <Button icon={Plus} className="note-remedy" onClick={() => addStep(pass.id)}>
      {MODEL.remedy(pass.title)}
    </Button>
  );
}

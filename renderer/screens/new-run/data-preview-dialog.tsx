/** Samples of a data set, of different classes, as the model will get them: pictures, sounds or numbers after all preprocessing. */
import { Dialog } from '@base-ui/react/dialog';
import { Info, TriangleAlert, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { type ErrorData, HoneError, toHoneError } from '../../../native-workers/protocol/errors.ts';
import type { DataPreview } from '../../../native-workers/protocol/preview.ts';
import type { Grant } from '../../../native-workers/protocol/studio.ts';
import { useDraft } from '../../stores/draft.ts';
import { preprocessOf } from '../../stores/run-form.ts';
import { studio } from '../../stores/session.ts';
import { plural } from '../../text/format.ts';
import { DATA } from '../../text/new-run.ts';
import { SHELL } from '../../text/shell.ts';
import { ErrorCard } from '../../widgets/error-card.tsx';
import { ProgressBar } from '../../widgets/progress-bar.tsx';
import { Samples } from '../../widgets/sample-preview.tsx';

const SAMPLES = 24;
/** Notes that only tell where something came from; all others are guesses that may be wrong. */
const PLAIN_NOTES: ReadonlySet<string> = new Set([
  'preprocess-from-file',
  'classes-from-file',
  'labels-from-file',
  'tokenizer',
]);

export interface DataPreviewDialogProps {
  readonly data: Grant;
  readonly onClose: () => void;
}

export function DataPreviewDialog({ data, onClose }: DataPreviewDialogProps) {
  const [preview, setPreview] = useState<DataPreview | null>(null);
  const [error, setError] = useState<ErrorData | null>(null);
  useEffect(() => {
    let wanted = true;
    readPreview(data).then(
      (result) => wanted && setPreview(result),
      (thrown: unknown) => wanted && setError(toHoneError(thrown).toData()),
    );
    return () => {
      wanted = false;
    };
  }, [data]);
  return (
    <Dialog.Root open onOpenChange={(next) => (next ? undefined : onClose())}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog dialog-wide">
          <div className="dialog-head">
            <Dialog.Title className="dialog-title">{DATA.previewTitle(data.name)}</Dialog.Title>
            <Dialog.Close className="icon-button" aria-label={SHELL.close} title={SHELL.close}>
              <X className="icon" aria-hidden />
            </Dialog.Close>
          </div>
          {error !== null ? (
            <ErrorCard error={error} />
          ) : preview === null ? (
            <div className="waiting" role="status">
              <p>{DATA.previewing}</p>
              <ProgressBar label={DATA.previewing} done={0} total={null} />
            </div>
          ) : (
            <Preview preview={preview} />
          )}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

async function readPreview(data: Grant): Promise<DataPreview> {
  const { model, form } = useDraft.getState();
  const preprocess = preprocessOf(form);
  if (model === null || preprocess === null) throw new HoneError('preprocess-invalid', DATA.previewProblem);
  // An empty description would stand above the one that lies beside the data, which a run takes.
  const given = Object.keys(preprocess).length === 0 ? {} : { preprocess };
  return studio().call('data.preview', { model: model.id, data: data.id, ...given, count: SAMPLES });
}

function Preview({ preview }: { readonly preview: DataPreview }) {
  const { kind, samples, labelled, classes, notes, skipped, first } = preview;
  return (
    <>
      <p className="preview-found">
        {DATA.previewFound(
          kind,
          plural(samples, 'sample'),
          labelled ? DATA.labelled(classes?.length ?? null) : DATA.notLabelled,
        )}
      </p>
      {notes.map((note) => (
        <p key={note.message} className="note">
          {PLAIN_NOTES.has(note.code) ? (
            <Info className="icon note-icon" aria-hidden />
          ) : (
            <TriangleAlert className="icon note-icon note-heeded" aria-hidden />
          )}
          {note.message}
        </p>
      ))}
      {skipped.length === 0 ? null : (
        <details className="preview-details">
          <summary>{DATA.skipped(skipped.length)}</summary>
          <ul>
            {skipped.map(({ sample, reason }) => (
              <li key={sample}>
                <code>{sample}</code> {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
      <Samples samples={first} />
      <details className="preview-details">
        <summary>{DATA.applied}</summary>
        <pre className="preview-json">{JSON.stringify(preview.preprocess, null, 2)}</pre>
      </details>
    </>
  );
}

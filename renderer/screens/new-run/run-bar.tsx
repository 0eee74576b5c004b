/** The foot of the recipe: what pressing Run will do, or what stands in its way. */
import { Play, TriangleAlert } from 'lucide-react';
import { useMemo } from 'react';
import { readDraft, startRun, useDraft } from '../../stores/draft.ts';
import { navigate } from '../../stores/navigation.ts';
import { reportFailure } from '../../stores/notices.ts';
import type { RunRequestParams } from '../../stores/run-form.ts';
import { useSession } from '../../stores/session.ts';
import { RUN_BAR, runSentence } from '../../text/new-run.ts';
import { Button } from '../../widgets/button.tsx';
import { RUN_BUTTON } from '../shell/use-keys.ts';

export function RunBar() {
  const draft = useDraft();
  const hello = useSession((session) => session.hello);
  const connected = useSession((session) => session.status === 'ready');
  const { request, problems } = useMemo(() => readDraft(draft, hello), [draft, hello]);
  const fields = Object.keys(problems).filter((key) => key !== 'model' && key !== 'steps');
  const reason = problems['model'] ?? problems['steps'] ?? (fields.length > 0 ? RUN_BAR.problems(fields.length) : '');
  return (
    <footer className="bar">
      {request === null ? (
        <p className="bar-problem" role="status">
          <TriangleAlert className="icon" aria-hidden />
          {reason}
        </p>
      ) : (
        <p className="bar-text">
          {runSentence(
            request,
            draft.form.evaluation?.name ?? null,
            draft.form.calibration?.name ?? null,
            hello?.targets ?? [],
          )}
        </p>
      )}
      <span className="grow" />
      <Button
        id={RUN_BUTTON}
        weight="primary"
        icon={Play}
        disabled={request === null || draft.starting || !connected}
        onClick={() => {
          if (request !== null) void start(request);
        }}
      >
        {draft.starting ? RUN_BAR.starting : RUN_BAR.run}
      </Button>
    </footer>
  );
}

async function start(request: RunRequestParams): Promise<void> {
  try {
    navigate({ screen: 'run', id: await startRun(request), tab: 'progress' });
  } catch (error) {
    reportFailure(error);
  }
}

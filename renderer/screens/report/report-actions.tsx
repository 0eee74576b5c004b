/** What can be done with the report of a run: verify it and take it away in a format. */
import { Braces, ChevronDown, Code, FileText, ShieldCheck, Table } from 'lucide-react';
import { useState } from 'react';
import type { StudioParams } from '../../../native-workers/protocol/studio.ts';
import { navigate } from '../../stores/navigation.ts';
import { notify, reportFailure } from '../../stores/notices.ts';
import { type Verification, verifyReport } from '../../stores/reports.ts';
import { studio } from '../../stores/session.ts';
import { REPORT } from '../../text/run.ts';
import { Button } from '../../widgets/button.tsx';
import { downloadText } from '../../widgets/copy.ts';
import { RowMenu } from '../../widgets/row-menu.tsx';

type Format = StudioParams<'reports.export'>['format'];

const FORMATS = [
  { format: 'html', icon: Code, type: 'text/html' },
  { format: 'md', icon: FileText, type: 'text/markdown' },
  { format: 'csv', icon: Table, type: 'text/csv' },
  { format: 'json', icon: Braces, type: 'application/json' },
] as const satisfies readonly { format: Format; type: string; icon: unknown }[];

export interface VerifyButtonProps {
  readonly verify: () => Promise<Verification>;
  readonly onVerified?: () => void;
}

export function VerifyButton({ verify, onVerified }: VerifyButtonProps) {
  const [verifying, setVerifying] = useState(false);
  const check = async (): Promise<void> => {
    setVerifying(true);
    try {
      const { status } = await verify();
      notify(`${REPORT[status]}. ${REPORT.verdicts[status]}`);
      onVerified?.();
    } catch (error) {
      reportFailure(error);
    } finally {
      setVerifying(false);
    }
  };
  return (
    <Button icon={ShieldCheck} disabled={verifying} onClick={() => void check()}>
      {verifying ? REPORT.verifying : REPORT.verify}
    </Button>
  );
}

export function ReportActions({ id }: { readonly id: string }) {
  return (
    <>
      <VerifyButton verify={() => verifyReport(id)} onVerified={() => navigate({ screen: 'run', id, tab: 'report' })} />
      <RowMenu
        label={REPORT.export}
        trigger={
          <Button>
            {REPORT.export}
            <ChevronDown className="icon" aria-hidden />
          </Button>
        }
        entries={FORMATS.map(({ format, icon, type }) => ({
          label: REPORT.exports[format],
          icon,
          onSelect: () => void save(id, format, type),
        }))}
      />
    </>
  );
}

async function save(id: string, format: Format, type: string): Promise<void> {
  try {
    const { name, text, saved } = await studio().call('reports.export', { id, format });
    if (text !== null) downloadText(name, text, type);
    notify(text !== null || saved ? REPORT.exported(name) : REPORT.exportLeft);
  } catch (error) {
    reportFailure(error);
  }
}

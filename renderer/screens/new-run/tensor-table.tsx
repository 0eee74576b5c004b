/** The largest tensors: where the bytes are, who reads them, and which are there twice. */
import { Copy } from 'lucide-react';
import type { InspectFacts } from '../../../native-workers/protocol/facts.ts';
import { formatBytes, formatShare } from '../../text/format.ts';
import { MODEL } from '../../text/new-run.ts';
import { Cut } from '../../widgets/cut.tsx';
import { type Column, VirtualTable } from '../../widgets/virtual-table.tsx';

type Tensor = InspectFacts['tensors'][number];

const ROW_HEIGHT = 28;

export function TensorTable({ facts }: { readonly facts: InspectFacts }) {
  if (facts.tensors.length === 0) return <p className="pane-text muted">{MODEL.noTensors}</p>;
  const weights = Math.max(1, facts.bytes.weights);
  const columns: readonly Column<Tensor>[] = [
    { id: 'name', title: MODEL.tensor, track: 'minmax(9rem, 2.4fr)', cell: (tensor) => <Name tensor={tensor} /> },
    { id: 'dtype', title: MODEL.dtype, track: '4.5rem', cell: (tensor) => tensor.dtype },
    {
      id: 'shape',
      title: MODEL.shape,
      track: 'minmax(7.5rem, 1.2fr)',
      cell: (tensor) => <Cut text={tensor.shape.join('×')} className="mono" />,
    },
    {
      id: 'usedBy',
      title: MODEL.usedBy,
      track: 'minmax(5rem, 1.4fr)',
      cell: (tensor) => <Cut text={tensor.usedBy.join(', ')} className="muted" />,
    },
    {
      id: 'bytes',
      title: MODEL.bytes,
      track: '5rem',
      numeric: true,
      cell: (tensor) => formatBytes(tensor.bytes),
    },
    {
      id: 'share',
      title: MODEL.share,
      track: '8rem',
      numeric: true,
      cell: (tensor) => <Share share={tensor.bytes / weights} />,
    },
  ];
  return (
    <VirtualTable
      label={MODEL.tensors}
      rows={facts.tensors}
      columns={columns}
      rowKey={(tensor) => tensor.name}
      rowHeight={ROW_HEIGHT}
    />
  );
}

function Name({ tensor }: { readonly tensor: Tensor }) {
  return (
    <span className="tensor-name">
      <Cut text={tensor.name} className="mono" />
      {tensor.duplicateOf === undefined ? null : (
        <span className="tag tag-warning" title={MODEL.duplicate(tensor.duplicateOf)}>
          <Copy className="icon icon-small" aria-hidden />
          {MODEL.duplicateShort}
        </span>
      )}
    </span>
  );
}

function Share({ share }: { readonly share: number }) {
  return (
    <span className="tensor-share">
      <span className="tensor-share-track" aria-hidden>
        <span className="tensor-share-bar" style={{ width: `${100 * Math.min(1, share)}%` }} />
      </span>
      {formatShare(share)}
    </span>
  );
}

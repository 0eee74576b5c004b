/** `hone inspect MODEL`: the structure of a model, without reading its weights. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { InspectFacts } from '../../protocol/facts.ts';
import { formatBytes } from '../../report/format.ts';
import type { Cli } from '../cli.ts';
import { runOneJob } from '../supervised.ts';
import { pairs, plain, shortCount, table } from '../text.ts';

const MOST_ROWS = 12;

export function inspectCommand(cli: Cli): Command {
  return cli
    .command('inspect', 'Read the structure of a model, not its weights.')
    .argument('<model>', 'model file')
    .action((model: string) =>
      cli.run(async (context) => {
        const result = await runOneJob('inspect', { model: resolve(model) }, context);
        return { json: result, text: inspectText(result) };
      }),
    );
}

export function inspectText(model: InspectFacts): string {
  const opsets = Object.entries(model.opsets).map(
    ([domain, version]) => `${domain === '' ? 'ai.onnx' : domain} ${version}`,
  );
  const precision = Object.entries(model.precision).map(([dtype, size]) => `${dtype} ${formatBytes(size)}`);
  const parts = [
    pairs([
      ['format', `${model.format}, IR version ${model.irVersion}, opset ${opsets.join(', ')}`],
      ['producer', model.producer === '' ? 'not said' : plain(model.producer)],
      [
        'size',
        `${formatBytes(model.bytes.total)}, weights ${formatBytes(model.bytes.weights)}${model.externalData ? ', in external files' : ''}`,
      ],
      ['precision', precision.join(', ') || 'no weights'],
      ['quantized', model.quantized ? (model.quantization ?? 'yes') : 'no'],
      ['parameters', shortCount(model.parameters)],
      ['multiply-adds', model.macs === null ? 'not known: shapes are missing' : `${shortCount(model.macs)} a run`],
      ['nodes', String(model.nodes)],
    ]),
    values('input', model.inputs),
    values('output', model.outputs),
    operators(model),
  ];
  if (model.notes.length > 0) {
    const notes = model.notes.map(
      ({ message, node }) => `- ${plain(message)}${node === undefined ? '' : ` (${plain(node)})`}`,
    );
    parts.push(`notes\n${notes.join('\n')}`);
  }
  return parts.join('\n\n');
}

function values(title: string, list: InspectFacts['inputs']): string {
  const rows = list.map(({ name, dtype, shape }) => [
    plain(name),
    dtype,
    `[${shape.map((dim) => dim ?? '?').join(', ')}]`,
  ]);
  return table([{ title }, { title: 'dtype' }, { title: 'shape' }], rows);
}

function operators(model: InspectFacts): string {
  const sorted = Object.entries(model.operators).sort(([, a], [, b]) => b - a);
  const rows = sorted
    .slice(0, MOST_ROWS)
    .map(([type, nodes]) => [plain(type), String(nodes), formatBytes(model.bytesByOperator[type] ?? 0)]);
  const rest = sorted.length - MOST_ROWS;
  const text = table(
    [{ title: 'operator' }, { title: 'nodes', align: 'right' }, { title: 'weights', align: 'right' }],
    rows,
  );
  return rest > 0 ? `${text}\nand ${rest} more operators` : text;
}

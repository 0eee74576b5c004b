/** Sampling of pictures at computed places. */
import type { Node } from '../../../graph/node.ts';
import { matmul } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { Refusal } from './terms.ts';

/** Before operator set 20 the modes had the names of pictures. */
const MODES: Readonly<Record<string, string>> = { bilinear: 'bilinear', linear: 'bilinear', nearest: 'nearest' };

function gridSample(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  if (x.type.shape.length !== 4) throw new Refusal('Core ML samples pictures of two dimensions only');
  const mode = node.string('mode', 'linear');
  const sampling = MODES[mode];
  if (sampling === undefined) throw new Refusal(`Core ML samples bilinear or nearest, and this is ${mode}`);
  const align = node.int('align_corners', 0) !== 0;
  const padding = node.string('padding_mode', 'zeros');
  // ONNX reflects about the centres of the outermost elements when corners are aligned, else about their edges.
  const names: Readonly<Record<string, string>> = {
    zeros: 'constant',
    border: 'border',
    reflection: align ? 'reflection' : 'symmetric',
  };
  lowering.out(node, 'resample', {
    x,
    coordinates: lowering.get(node, 1),
    sampling_mode: lowering.text(sampling, 'sampling_mode'),
    padding_mode: lowering.text(names[padding] ?? 'constant', 'padding_mode'),
    padding_value: lowering.float(0, 'padding_value'),
    coordinates_mode: lowering.text('normalized_minus_one_to_one', 'coordinates_mode'),
    align_corners: lowering.bool(align, 'align_corners'),
  });
}

/** The places of a grid, moved by an affine map. Source: onnx Operators.md, AffineGrid. */
function affineGrid(node: Node, lowering: Lowering): void {
  const theta = lowering.get(node, 0);
  const [batch = 1, , ...spatial] = lowering.fixed(node, 1, 'the size of the grid');
  const align = node.int('align_corners', 0) !== 0;
  const line = (size: number): number[] =>
    Array.from({ length: size }, (_, at) => (align ? -1 + (2 * at) / (size - 1) : (2 * at + 1) / size - 1));
  // Columns are points; the last dimension comes first in a point, and 1 last.
  const count = spatial.reduce((product, size) => product * size, 1);
  const rows = spatial.map((size, axis) => {
    const inner = spatial.slice(axis + 1).reduce((product, dim) => product * dim, 1);
    const values = line(size);
    return Array.from({ length: count }, (_, at) => values[Math.floor(at / inner) % size] ?? 0);
  });
  const base = [...rows.reverse().flat(), ...Array<number>(count).fill(1)];
  const points = matmul(lowering, theta, lowering.floats(base, [spatial.length + 1, count], 'grid'));
  const grid = lowering.transpose(points, [0, 2, 1]);
  lowering.result(node, lowering.reshape(grid, [batch, ...spatial, spatial.length]));
}

export const SAMPLING: Readonly<Record<string, Lower>> = { GridSample: gridSample, AffineGrid: affineGrid };

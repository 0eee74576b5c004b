/** Sampling of pictures at computed places. */
import type { Node } from '../../../graph/node.ts';
import type { MilValue } from '../program.ts';
import { matmul, plus, sliceAxis, squeeze, times } from './builders.ts';
import type { Lower, Lowering } from './lowering.ts';
import { type Coordinates, type Outside, type Sampling, sampled } from './taps.ts';
import { Refusal, staticDims } from './terms.ts';

/** Before operator set 20 the modes had the names of pictures. */
const MODES: Readonly<Record<string, Sampling>> = {
  bilinear: 'linear',
  linear: 'linear',
  nearest: 'nearest',
  bicubic: 'cubic',
  cubic: 'cubic',
};

/** MIL's own operator samples pictures between two elements; anything else is put together. */
function gridSample(node: Node, lowering: Lowering): void {
  const x = lowering.get(node, 0);
  const mode = node.string('mode', 'linear');
  const sampling = MODES[mode];
  if (sampling === undefined) throw new Refusal(`there is no way to sample called ${mode}`);
  const align = node.int('align_corners', 0) !== 0;
  const outside = node.string('padding_mode', 'zeros') as Outside;
  if (x.type.shape.length !== 4 || sampling === 'cubic') {
    composedSample(node, lowering, x, { sampling, outside, align });
    return;
  }
  // ONNX reflects about the centres of the outermost elements when corners are aligned, else about their edges.
  const names: Readonly<Record<Outside, string>> = {
    zeros: 'constant',
    border: 'border',
    reflection: align ? 'reflection' : 'symmetric',
  };
  lowering.out(node, 'resample', {
    x,
    coordinates: lowering.get(node, 1),
    sampling_mode: lowering.text(sampling === 'linear' ? 'bilinear' : sampling, 'sampling_mode'),
    padding_mode: lowering.text(names[outside] ?? 'constant', 'padding_mode'),
    padding_value: lowering.float(0, 'padding_value'),
    coordinates_mode: lowering.text('normalized_minus_one_to_one', 'coordinates_mode'),
    align_corners: lowering.bool(align, 'align_corners'),
  });
}

interface Sampled {
  readonly sampling: Sampling;
  readonly outside: Outside;
  readonly align: boolean;
}

function composedSample(node: Node, lowering: Lowering, x: MilValue, { sampling, outside, align }: Sampled): void {
  // Indices are counted in floats on the way, which float16 does not hold beyond 2048.
  lowering.precise();
  const [batch = 1, channels = 1, ...space] = staticDims(x.type.shape, 'what is sampled');
  const grid = lowering.get(node, 1);
  const places = staticDims(grid.type.shape.slice(1, -1), 'the grid');
  const count = places.reduce((product, dim) => product * dim, 1);
  const flat = lowering.reshape(grid, [batch, count, space.length]);
  const axes = space.map((size, axis): Coordinates => {
    // The last number of a place is for the first dimension of space.
    const from = space.length - 1 - axis;
    const part = squeeze(lowering, sliceAxis(lowering, flat, 2, from, from + 1), [2]);
    const at = plus(lowering, times(lowering, part, align ? (size - 1) / 2 : size / 2), (size - 1) / 2);
    return { at, size, low: align ? 0 : -0.5, high: align ? size - 1 : size - 0.5 };
  });
  const made = sampled(lowering, x, axes, sampling, outside);
  lowering.result(node, lowering.reshape(lowering.transpose(made, [0, 2, 1]), [batch, channels, ...places]));
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

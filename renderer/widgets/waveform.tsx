/** A sound as its envelope: the lowest and highest value of each slice of time. */
export interface WaveformProps {
  readonly label: string;
  readonly slices: readonly (readonly [number, number])[];
}

export function Waveform({ label, slices }: WaveformProps) {
  const peak = Math.max(1e-9, ...slices.flatMap(([low, high]) => [Math.abs(low), Math.abs(high)]));
  const path = slices
    .map(([low, high], index) => `M${index + 0.5} ${50 - (50 * high) / peak}V${50 - (50 * low) / peak}`)
    .join('');
  return (
    <svg
      className="waveform"
      viewBox={`0 0 ${Math.max(1, slices.length)} 100`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path d={path} />
    </svg>
  );
}

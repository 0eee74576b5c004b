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
      <line className="waveform-zero" x1="0" x2={Math.max(1, slices.length)} y1="50" y2="50" />
      <path d={path} />
    </svg>
  );
}

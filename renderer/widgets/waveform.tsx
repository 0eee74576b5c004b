/** A sound as its envelope: the lowest and highest value of each slice of time, from where the slice before ended. */
export interface WaveformProps {
  readonly label: string;
  readonly slices: readonly (readonly [number, number])[];
}

export function Waveform({ label, slices }: WaveformProps) {
  const peak = Math.max(1e-9, ...slices.flatMap(([low, high]) => [Math.abs(low), Math.abs(high)]));
  const at = (value: number): number => 50 - (50 * value) / peak;
  const path = slices
    .map(([low, high], index) => {
      const [lowBefore, highBefore] = slices[index - 1] ?? [low, high];
      return `M${index + 0.5} ${at(Math.max(high, lowBefore))}V${at(Math.min(low, highBefore))}`;
    })
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

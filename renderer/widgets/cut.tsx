interface CutProps {
  readonly text: string;
  /** What the tooltip says, where the text is short for it. */
  readonly whole?: string;
  readonly className?: string;
  /** Cuts the beginning off instead: what tells names of layers apart stands at their end. */
  readonly keepsEnd?: boolean;
}

/** Text that is cut off with an ellipsis where there is no room; the whole of it is in its tooltip. */
export function Cut({ text, whole = text, className, keepsEnd = false }: CutProps) {
  return (
    <span className={`cut ${keepsEnd ? 'cut-start' : ''} ${className ?? ''}`} title={whole}>
      {keepsEnd ? <bdi>{text}</bdi> : text}
    </span>
  );
}

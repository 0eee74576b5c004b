/** Text that is cut off with an ellipsis where there is no room; the whole of it is in its tooltip. */
export function Cut({ text, className }: { readonly text: string; readonly className?: string }) {
  return (
    <span className={`cut ${className ?? ''}`} title={text}>
      {text}
    </span>
  );
}

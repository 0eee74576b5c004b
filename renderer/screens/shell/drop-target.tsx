/** The whole window takes what is dropped on it. A field that takes drops of its own stops the event before it comes here. */
import { FileDown } from 'lucide-react';
import { useEffect, useState } from 'react';
import { takeDrop } from '../../stores/intake.ts';
import { SHELL } from '../../text/shell.ts';

export function DropTarget() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    // Entering a child fires before leaving its parent: only the count tells when the window is left.
    let depth = 0;
    const set = (next: number): void => {
      depth = next;
      setOver(next > 0);
    };
    const handlers = {
      dragenter: (event: DragEvent) => {
        if (hasFiles(event)) set(depth + 1);
      },
      dragleave: (event: DragEvent) => {
        if (hasFiles(event)) set(Math.max(0, depth - 1));
      },
      // Without this the browser would open the file instead of us.
      dragover: (event: DragEvent) => {
        if (hasFiles(event)) event.preventDefault();
      },
      drop: (event: DragEvent) => {
        set(0);
        if (!hasFiles(event) || event.defaultPrevented) return;
        event.preventDefault();
        if (event.dataTransfer !== null) void takeDrop(event.dataTransfer);
      },
    };
    for (const [type, handler] of Object.entries(handlers)) window.addEventListener(type, handler as EventListener);
    return () => {
      for (const [type, handler] of Object.entries(handlers)) {
        window.removeEventListener(type, handler as EventListener);
      }
    };
  }, []);
  if (!over) return null;
  return (
    <div className="drop-overlay" aria-hidden>
      <FileDown className="drop-overlay-icon" />
      <p className="drop-overlay-title">{SHELL.dropModel}</p>
      <p className="drop-overlay-text">{SHELL.dropModelDetail}</p>
    </div>
  );
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false;
}

/** A button that reads a small JSON file into the page, without the host. */
import { FileInput } from 'lucide-react';
import { useRef } from 'react';
import { reportFailure } from '../stores/notices.ts';
import { Button } from './button.tsx';

export interface JsonFileProps {
  readonly label: string;
  readonly onText: (text: string) => void;
}

export function JsonFile({ label, onText }: JsonFileProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button icon={FileInput} onClick={() => input.current?.click()}>
        {label}
      </Button>
      <input
        ref={input}
        type="file"
        accept=".json"
        hidden
        aria-label={label}
        onChange={(event) => {
          const [chosen] = event.target.files ?? [];
          // The same file can be chosen again.
          event.target.value = '';
          chosen?.text().then(onText, reportFailure);
        }}
      />
    </>
  );
}

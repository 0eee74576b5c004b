/** The sections of the report, beside it; the one that is being read is marked, in a window and in any scrolling part of one. */
import { type RefObject, useEffect, useRef, useState } from 'react';

export interface ContentsProps {
  /** In the order of the page. */
  readonly sections: readonly { readonly id: string; readonly title: string }[];
}

export function Contents({ sections }: ContentsProps) {
  const nav = useRef<HTMLElement>(null);
  const current = useCurrent(nav, sections);
  return (
    <nav ref={nav} className="report-contents" aria-label="Sections of the report">
      <ul>
        {sections.map(({ id, title }) => (
          <li key={id}>
            <a href={`#report-${id}`} aria-current={id === current ? 'location' : undefined}>
              {title}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** A section is being read when its heading has come this near to the top of what scrolls, in pixels. */
const READING = 120;

function useCurrent(nav: RefObject<HTMLElement | null>, sections: ContentsProps['sections']): string | null {
  const [current, setCurrent] = useState<string | null>(sections[0]?.id ?? null);
  useEffect(() => {
    const scroller = scrollerOf(nav.current);
    const look = (): void => {
      const top = scroller?.getBoundingClientRect().top ?? 0;
      const part = scroller ?? document.documentElement;
      // The last sections are too short to come to the top.
      const atEnd = part.scrollTop > 0 && part.scrollTop + part.clientHeight >= part.scrollHeight - 2;
      const read = sections.filter(({ id }) => {
        const heading = document.getElementById(`report-${id}`);
        return heading !== null && heading.getBoundingClientRect().top - top < READING;
      });
      setCurrent((atEnd ? sections : read).at(-1)?.id ?? sections[0]?.id ?? null);
    };
    look();
    const target = scroller ?? document;
    target.addEventListener('scroll', look, { passive: true });
    return () => target.removeEventListener('scroll', look);
  }, [nav, sections]);
  return current;
}

/** The nearest part of the page around it that scrolls; null when that is the page itself. */
function scrollerOf(element: HTMLElement | null): HTMLElement | null {
  for (let part = element?.parentElement ?? null; part !== null; part = part.parentElement) {
    if (part === document.body || part === document.documentElement) return null;
    if (/auto|scroll/.test(getComputedStyle(part).overflowY)) return part;
  }
  return null;
}

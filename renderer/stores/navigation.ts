/** Where the user is. The address bar's hash holds it, so that reload, back and forward work. */
import { create } from 'zustand';

export type Route =
  | { readonly screen: 'library' }
  | { readonly screen: 'new'; readonly tab: 'model' | 'recipe' }
  | { readonly screen: 'run'; readonly id: string; readonly tab: 'progress' | 'report' }
  | { readonly screen: 'compare'; readonly before: string; readonly after: string }
  /** A report opened from a file. */
  | { readonly screen: 'saved-report' };

export function parseRoute(hash: string): Route {
  const [screen = '', ...rest] = hash.replace(/^#\/?/, '').split('/').map(decode);
  const [first = '', second = ''] = rest;
  switch (screen) {
    case 'new':
      return { screen: 'new', tab: first === 'recipe' ? 'recipe' : 'model' };
    case 'run':
      return first === '' ? LIBRARY : { screen: 'run', id: first, tab: second === 'report' ? 'report' : 'progress' };
    case 'compare':
      return first === '' || second === '' ? LIBRARY : { screen: 'compare', before: first, after: second };
    case 'saved-report':
      return { screen: 'saved-report' };
    default:
      return LIBRARY;
  }
}

export function formatRoute(route: Route): string {
  switch (route.screen) {
    case 'library':
    case 'saved-report':
      return `#/${route.screen}`;
    case 'new':
      return `#/new/${route.tab}`;
    case 'run':
      return `#/run/${encodeURIComponent(route.id)}/${route.tab}`;
    case 'compare':
      return `#/compare/${encodeURIComponent(route.before)}/${encodeURIComponent(route.after)}`;
  }
}

const LIBRARY: Route = { screen: 'library' };

export const useRoute = create<{ readonly route: Route }>(() => ({ route: LIBRARY }));

export function navigate(route: Route): void {
  const hash = formatRoute(route);
  if (window.location.hash === hash) useRoute.setState({ route });
  else window.location.hash = hash;
}

/** Follows the address bar. */
export function startNavigation(): void {
  const follow = (): void => useRoute.setState({ route: parseRoute(window.location.hash) });
  window.addEventListener('hashchange', follow);
  document.addEventListener('click', followAnchor);
  follow();
}

/** A link to a place within the page (a section of a report) scrolls there, and leaves the route in the address bar. */
function followAnchor(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
  const place = link?.getAttribute('href')?.slice(1) ?? '';
  if (place === '' || place.startsWith('/')) return;
  event.preventDefault();
  const target = document.getElementById(place);
  target?.scrollIntoView({ block: 'start' });
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The names of the messages between the page and the main process. The page itself never sees them. */

/** A call of the studio protocol: `studioCallSchema`, answered by a `StudioReply`. */
export const CALL = 'hone:call';
/** Paths of files that were dropped on the window, answered by a `StudioReply` with grants. */
export const GRANT = 'hone:grant';
/** From main to the page: a `StudioEvent`. */
export const EVENT = 'hone:event';

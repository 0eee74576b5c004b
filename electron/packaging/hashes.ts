/** The record of what is outside the archive, in the folder of the built `main.js`. */
export const HASHES = 'resources.json';

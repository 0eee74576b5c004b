/** The report view as one script and one style sheet, to be inlined into saved reports: `npm run build:report`. */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  publicDir: false,
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    outDir: 'dist/report-view',
    emptyOutDir: true,
    // Readers of a report have any browser of the last two years; `light-dark()` in the tokens needs as much.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    reportCompressedSize: false,
    lib: {
      entry: 'renderer/report-view/standalone.tsx',
      formats: ['iife'],
      name: 'HoneReport',
      fileName: () => 'report-view.js',
      cssFileName: 'report-view',
    },
  },
});

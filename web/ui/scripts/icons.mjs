// The tab icons: one file per count and level, because a strict Content-Security-Policy forbids drawing them as data: URLs.
const shapes = {
  c: { fill: '#ff6b8c', text: '#1a0c11', path: '<rect width="32" height="32" rx="5"/>' },
  w: { fill: '#d9b24a', text: '#1d1600', path: '<path d="M16 0 32 32H0z"/>' },
};

function counted(level, label) {
  const s = shapes[level];
  const y = level === 'w' ? 29 : 24;
  const size = level === 'w' ? 18 : label.length > 1 ? 18 : 23;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><g fill="${s.fill}">${s.path}</g><text x="16" y="${y}" font-family="sans-serif" font-weight="700" font-size="${size}" text-anchor="middle" fill="${s.text}">${label}</text></svg>\n`;
}

export function iconFiles() {
  const files = {
    'ok.svg':
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="13" fill="none" stroke="#8b96a1" stroke-width="4"/><circle cx="16" cy="16" r="4" fill="#8b96a1"/></svg>\n',
    'lost.svg':
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M6 6 26 26M26 6 6 26" stroke="#8b96a1" stroke-width="6"/></svg>\n',
  };
  for (const level of Object.keys(shapes)) {
    for (let n = 1; n <= 10; n++) files[`${level}${n}.svg`] = counted(level, n > 9 ? '9+' : String(n));
  }
  return files;
}

export function icons() {
  return {
    name: 'goc-icons',
    generateBundle() {
      for (const [name, source] of Object.entries(iconFiles())) {
        this.emitFile({ type: 'asset', fileName: `icons/${name}`, source });
      }
    },
    configureServer(server) {
      const files = iconFiles();
      server.middlewares.use('/icons', (req, res, next) => {
        const source = files[(req.url ?? '').slice(1)];
        if (!source) return next();
        res.setHeader('Content-Type', 'image/svg+xml');
        res.end(source);
      });
    },
  };
}

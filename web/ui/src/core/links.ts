import { path } from './router';

/** Where an id leads: INC-42 to the war room, CHG-7 to the change, RUN-, DRL-, FRZ- and OVR- to their screens; null for others. */
export function hrefOf(id: string): string | null {
  const [prefix] = id.split('-');
  if (!/^[A-Z]{3}-\d+$/.test(id)) return null;
  switch (prefix) {
    case 'INC':
      return path('i', id);
    case 'CHG':
      return path('changes', id);
    case 'DRL':
      return path('drills', id);
    case 'RUN':
      return `/plans?run=${id}`;
    case 'FRZ':
      return '/changes/gate/freezes';
    case 'OVR':
      return '/changes/gate/overrides';
    default:
      return null;
  }
}

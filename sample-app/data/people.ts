/** Names, streets and towns to make orders from. Addresses are made up; mail goes to example domains. */
export interface Region {
  readonly country: string;
  readonly first: readonly string[];
  readonly last: readonly string[];
  readonly streets: readonly string[];
  /** Postal code and town. */
  readonly towns: readonly (readonly [string, string])[];
  /** `12 Rue X` or `X-straße 12`. */
  readonly numberFirst?: boolean;
}

export const REGIONS: readonly Region[] = [
  {
    country: 'DE',
    first: ['Anneke', 'Jonas', 'Leyla', 'Matthias', 'Franziska', 'Emre'],
    last: ['Brandt', 'Yıldız', 'Hoffmann', 'Petersen', 'Krüger', 'Vogt'],
    streets: ['Lindenallee', 'Schillerstraße', 'Am Mühlbach', 'Kastanienweg', 'Hafenstraße'],
    towns: [
      ['10437', 'Berlin'],
      ['20359', 'Hamburg'],
      ['79098', 'Freiburg'],
      ['04103', 'Leipzig'],
    ],
  },
  {
    country: 'FR',
    first: ['Camille', 'Mathieu', 'Inès', 'Théo', 'Solène'],
    last: ['Lefèvre', 'Moreau', 'Benali', 'Garnier', 'Rousseau'],
    streets: ['Rue des Lilas', 'Avenue Jean Jaurès', 'Rue du Moulin', 'Quai de la Fosse'],
    towns: [
      ['75011', 'Paris'],
      ['69003', 'Lyon'],
      ['44000', 'Nantes'],
      ['67000', 'Strasbourg'],
    ],
    numberFirst: true,
  },
  {
    country: 'IT',
    first: ['Giulia', 'Lorenzo', 'Chiara', 'Davide'],
    last: ['Bianchi', 'Ferrari', 'Esposito', 'Marchetti'],
    streets: ['Via Garibaldi', 'Corso Italia', 'Via dei Mille', 'Piazza Verdi'],
    towns: [
      ['20121', 'Milano'],
      ['40121', 'Bologna'],
      ['50122', 'Firenze'],
      ['80132', 'Napoli'],
    ],
  },
  {
    country: 'NL',
    first: ['Sanne', 'Daan', 'Femke', 'Youssef'],
    last: ['de Vries', 'van den Berg', 'Bakker', 'El Amrani'],
    streets: ['Prinsengracht', 'Kerkstraat', 'Oudegracht', 'Nieuwe Binnenweg'],
    towns: [
      ['1016 GV', 'Amsterdam'],
      ['3511 AB', 'Utrecht'],
      ['3014 GL', 'Rotterdam'],
    ],
  },
  {
    country: 'FI',
    first: ['Aino', 'Eero', 'Helmi', 'Oskari'],
    last: ['Virtanen', 'Korhonen', 'Nieminen', 'Lindqvist'],
    streets: ['Mannerheimintie', 'Hämeenkatu', 'Rantakatu', 'Koulukatu'],
    towns: [
      ['00100', 'Helsinki'],
      ['33100', 'Tampere'],
      ['90100', 'Oulu'],
    ],
  },
  {
    country: 'PL',
    first: ['Zofia', 'Jakub', 'Agnieszka', 'Michał'],
    last: ['Nowak', 'Mazur', 'Wójcik', 'Dudek'],
    streets: ['ul. Długa', 'ul. Piękna', 'al. Niepodległości', 'ul. Lipowa'],
    towns: [
      ['00-545', 'Warszawa'],
      ['31-146', 'Kraków'],
      ['80-831', 'Gdańsk'],
    ],
  },
  {
    country: 'GB',
    first: ['Eleanor', 'Imran', 'Rhys', 'Grace', 'Callum'],
    last: ['Whitfield', 'Hussain', 'Pritchard', 'Okafor', 'Drummond'],
    streets: ['Station Road', 'Victoria Terrace', 'Mill Lane', 'Albion Street'],
    towns: [
      ['EH6 6QQ', 'Edinburgh'],
      ['BS1 4DJ', 'Bristol'],
      ['M4 1HQ', 'Manchester'],
      ['CF10 1EP', 'Cardiff'],
    ],
    numberFirst: true,
  },
  {
    country: 'CH',
    first: ['Nora', 'Luca', 'Annina', 'Reto'],
    last: ['Baumann', 'Keller', 'Caduff', 'Fontana'],
    streets: ['Bahnhofstrasse', 'Seestrasse', 'Rue du Rhône', 'Obere Gasse'],
    towns: [
      ['8001', 'Zürich'],
      ['3011', 'Bern'],
      ['7000', 'Chur'],
      ['1204', 'Genève'],
    ],
  },
  {
    country: 'US',
    first: ['Maya', 'Caleb', 'Priya', 'Diego', 'Hannah'],
    last: ['Ramirez', 'Sullivan', 'Natarajan', 'Whitaker', 'Cho'],
    streets: ['Alder Street', 'Juniper Avenue', 'Lakeview Drive', 'Mission Street'],
    towns: [
      ['97205', 'Portland, OR'],
      ['60614', 'Chicago, IL'],
      ['78702', 'Austin, TX'],
      ['02139', 'Cambridge, MA'],
    ],
    numberFirst: true,
  },
  {
    country: 'JP',
    first: ['Haruka', 'Kenji', 'Yui', 'Sota'],
    last: ['Tanaka', 'Fujimoto', 'Ishikawa', 'Nakamura'],
    streets: ['Nakameguro', 'Kitashirakawa', 'Minamisemba', 'Odori Nishi'],
    towns: [
      ['153-0061', 'Tokyo'],
      ['606-8261', 'Kyoto'],
      ['542-0081', 'Osaka'],
      ['060-0042', 'Sapporo'],
    ],
  },
];

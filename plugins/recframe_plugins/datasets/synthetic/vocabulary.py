"""The topics of the synthetic dataset, and the words for each.

Items are written from `people`, `things`, `adjectives`, `places`, `activities` and `tags`. User profiles are written from `tastes`, which
express the topic in other words, so that matching items and users requires reading. The size of every bank is prime, so any stride
through it visits every entry before repeating one.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TOPICS", "Topic"]


@dataclass(frozen=True)
class Topic:
    """A topic's name and its banks: singular nouns (people, things, places), adjectives, gerund phrases, tags, noun phrases (tastes)."""

    name: str
    people: tuple[str, ...]
    things: tuple[str, ...]
    adjectives: tuple[str, ...]
    places: tuple[str, ...]
    activities: tuple[str, ...]
    tags: tuple[str, ...]
    tastes: tuple[str, ...]


def topic(name: str, **banks: str) -> Topic:
    """A `Topic` with each bank given as one comma-separated string."""
    return Topic(name, **{bank: tuple(entries.split(", ")) for bank, entries in banks.items()})


TOPICS: tuple[Topic, ...] = (
    topic(
        "crime",
        people="detective, forger, informant, cat burglar, inspector, fugitive, pickpocket",
        things="alibi, fingerprint, ransom note, getaway car, stolen ledger, confession, crowbar",
        adjectives="unsolved, crooked, hard-boiled, furtive, incriminating, cold-blooded, wanted",
        places="back alley, interrogation room, precinct, pawnshop, holding cell",
        activities="shadowing a suspect, cracking a safe, interviewing witnesses, laundering bribes, dusting for prints",
        tags="whodunit, heist, noir, investigation, underworld",
        tastes="murder mysteries with a clever sleuth, gritty thrillers about police and killers, "
        "puzzles whose culprit is unmasked at the end, gangster sagas, true accounts of robbery, "
        "lawbreakers on the run, plots full of motives and guilt",
    ),
    topic(
        "space",
        people="astronaut, cosmonaut, stargazer, astrophysicist, lunar geologist, capsule commander, telescope builder",
        things="comet, airlock, nebula, booster rocket, pulsar, heat shield, moon rover",
        adjectives="orbital, weightless, interstellar, lunar, cosmic, zero-gravity, starlit",
        places="launch pad, asteroid belt, Martian crater, observatory dome, docking bay",
        activities="charting distant galaxies, repairing a solar array, steering a satellite, "
        "listening for signals from Saturn, landing on an icy moon",
        tags="orbit, galaxy, rockets, exoplanets, mission control",
        tastes="voyages beyond the Earth, the wonder of the universe, science about planets and the night sky, "
        "black holes and the birth of suns, crews living high above the atmosphere, the search for alien life, "
        "anything to do with NASA",
    ),
    topic(
        "cooking",
        people="pastry chef, line cook, baker, cheesemonger, spice merchant, dinner host, butcher",
        things="sourdough, saffron broth, cast-iron pan, roast lamb, lemon tart, dumpling, family recipe",
        adjectives="simmering, buttery, caramelised, slow-roasted, peppery, crisp, home-made",
        places="bistro kitchen, market stall, bakery, night food court, chef's table",
        activities="kneading dough before dawn, reducing a stock, plating desserts, pickling lemons, tasting olive oils",
        tags="recipes, baking, street food, flavours, kitchen secrets",
        tastes="delicious meals and their origins, culinary adventures, dishes from other countries, "
        "everything about eating well, gourmet restaurants, learning what to do with fresh ingredients, "
        "mouth-watering suppers",
    ),
    topic(
        "sailing",
        people="skipper, deckhand, helmsman, lighthouse keeper, navigator, boatbuilder, shipwrecked mate",
        things="mainsail, sextant, anchor, sloop, rudder, tide table, storm jib",
        adjectives="windward, salt-stained, becalmed, seaworthy, drifting, storm-tossed, coastal",
        places="harbour, marina, fishing quay, coral lagoon, boatyard",
        activities="tacking into a gale, rounding Cape Horn, splicing rope, racing a regatta, riding out a squall",
        tags="yachts, seafaring, regatta, voyage, tides",
        tastes="life on the ocean, long crossings by boat, nautical adventure, waves and wide horizons, "
        "solo circumnavigations, maritime lore, being out on the water",
    ),
    topic(
        "jazz",
        people="saxophonist, bandleader, trumpeter, double bassist, crooner, drummer, session pianist",
        things="blue note, trumpet mute, drum solo, vinyl pressing, swing tune, brass section, chord chart",
        adjectives="syncopated, smoky, improvised, brassy, swinging, offbeat, mellow",
        places="basement club, Harlem ballroom, recording studio, bandstand, New Orleans parade",
        activities="trading solos after midnight, jamming until daybreak, transcribing Coltrane, learning bebop scales, "
        "touring with a quintet",
        tags="bebop, big band, late-night sessions, blues, standards",
        tastes="live music with room for spontaneity, the sound of Miles Davis and Ella Fitzgerald, "
        "musicians who make it up as they play, cool melodies and rhythm, concerts in small venues, "
        "albums from the era of Duke Ellington, great singers and horn players",
    ),
    topic(
        "gardening",
        people="head gardener, botanist, rose breeder, beekeeper, allotment holder, herbalist, seed collector",
        things="compost heap, trowel, rosebush, greenhouse, apple graft, seed packet, wheelbarrow",
        adjectives="blossoming, overgrown, evergreen, well-watered, thorny, fragrant, leafy",
        places="walled orchard, vegetable patch, potting shed, botanical nursery, herb border",
        activities="pruning the roses, raising seedlings, mulching the beds, grafting old apples, planting spring bulbs",
        tags="perennials, allotment, horticulture, blooms, soil",
        tastes="growing flowers at home, backyards full of green, advice on looking after plants, "
        "quiet hours among shrubs and lawns, landscape design, tomatoes from one's own plot, what to sow each season",
    ),
    topic(
        "football",
        people="striker, goalkeeper, midfielder, referee, team captain, talent scout, substitute",
        things="penalty kick, league table, offside flag, corner kick, transfer fee, winning goal, yellow card",
        adjectives="unbeaten, goalless, relegated, last-minute, sliding, two-footed, underdog",
        places="packed stadium, penalty area, changing room, training pitch, away end",
        activities="defending a slender lead, taking penalties, scouting young wingers, fighting relegation, coaching the under-twelves",
        tags="cup final, league, dribbling, derby day, supporters",
        tastes="the beautiful game, world championship memories, soccer tactics, clubs and their devoted fans, "
        "a whole season of sport, players like Pele and Messi, matches that go down to the wire",
    ),
    topic(
        "chivalry",
        people="knight, squire, castellan, troubadour, king's herald, abbess, siege engineer",
        things="broadsword, coat of arms, crossbow, drawbridge, suit of armour, royal charter, tournament lance",
        adjectives="besieged, feudal, heraldic, gallant, moated, battle-worn, sworn",
        places="castle keep, jousting field, great hall, abbey cloister, border fortress",
        activities="besieging a fortress, swearing fealty, jousting for a crown, copying manuscripts, defending the ramparts",
        tags="medieval, crusades, castles, dynasties, swords",
        tastes="the Middle Ages, legends of Arthur and Camelot, historical epics with queens and barons, "
        "tales of honour and loyalty, monarchs and their wars, the world of Ivanhoe, life in the thirteenth century",
    ),
    topic(
        "mountaineering",
        people="alpinist, sherpa, rope leader, rescue guide, free climber, hut warden, expedition doctor",
        things="ice axe, carabiner, summit ridge, oxygen bottle, crevasse, belay, frostbitten glove",
        adjectives="vertical, avalanche-swept, snowbound, thin-aired, sheer, exposed, unclimbed",
        places="base camp, north face, glacier, granite wall, high bivouac",
        activities="acclimatising at altitude, bolting a new route, crossing a snow bridge, waiting out a blizzard, "
        "climbing without oxygen",
        tags="summits, expeditions, Himalaya, big walls, ropework",
        tastes="conquering the highest peaks, Everest and the people who dared it, feats of endurance in the Alps, "
        "scrambling up steep rock, survival in extreme cold, outdoor daring, hikes to the top of the world",
    ),
    topic(
        "wildlife",
        people="ranger, zoologist, birdwatcher, whale tracker, field ecologist, snow leopard trapper, gamekeeper",
        things="otter den, migrating herd, eagle nest, trail camera, wolf pack, beaver dam, elephant calf",
        adjectives="untamed, nocturnal, endangered, feathered, camouflaged, prowling, migratory",
        places="savannah, rainforest canopy, wetland reserve, watering hole, tundra",
        activities="tagging sea turtles, following lions at dusk, counting cranes, rewilding a valley, recording birdsong",
        tags="predators, habitats, conservation, migration, mammals",
        tastes="animals in nature, documentaries in the manner of David Attenborough, creatures great and small, safaris, "
        "protecting threatened species, bears and big cats, the secret lives of beasts",
    ),
    topic(
        "fashion",
        people="couturier, runway model, tailor, milliner, pattern cutter, stylist, shoemaker",
        things="silk gown, hemline, sewing machine, velvet jacket, mood board, sequin, fabric swatch",
        adjectives="tailored, embroidered, glamorous, hand-stitched, pleated, avant-garde, vintage",
        places="Paris atelier, catwalk, fitting room, fabric warehouse, front row",
        activities="draping a bodice, sketching a spring collection, dressing film stars, hemming in haste, reviving lost embroidery",
        tags="haute couture, designers, textiles, streetwear, accessories",
        tastes="elegant clothes, trends and what to wear, the story of Chanel and Dior, beautiful dresses, looking sharp, "
        "style icons and their wardrobes, garments made with care",
    ),
    topic(
        "romance",
        people="bride, bachelor, matchmaker, secret admirer, jilted fiance, childhood sweetheart, shy suitor",
        things="love letter, wedding ring, first kiss, bouquet, proposal, broken engagement, honeymoon",
        adjectives="lovestruck, tender, star-crossed, wistful, flirtatious, besotted, long-awaited",
        places="moonlit balcony, seaside chapel, candlelit terrace, rose pavilion, wedding party",
        activities="falling for a rival, eloping at midnight, writing unsent letters, meeting again after ten years, "
        "dancing until the rain stops",
        tags="courtship, second chances, heartbreak, slow burn, happy ending",
        tastes="couples finding each other, passion and longing, sweet stories of the heart, feel-good dating comedies, "
        "Jane Austen and her heirs, soulmates against the odds, a good cry over lovers",
    ),
    topic(
        "robotics",
        people="roboticist, android, software engineer, machine-learning researcher, drone pilot, cyborg, chatbot tester",
        things="servo motor, voice chip, circuit board, gripper arm, sensor array, exoskeleton, line of code",
        adjectives="autonomous, programmable, self-learning, synthetic, mechanical, sentient, glitching",
        places="server farm, assembly line, test laboratory, control hub, data centre",
        activities="training a neural network, debugging a humanoid, teaching machines to walk, soldering circuits, "
        "outwitting an algorithm",
        tags="artificial intelligence, automation, algorithms, gadgets, androids",
        tastes="computers that think, technology of the near future, inventions that replace people, "
        "the ethics of smart devices, tech start-ups, Asimov and other science fiction of minds in metal, "
        "how digital tools change work",
    ),
    topic(
        "painting",
        people="portraitist, muralist, art restorer, watercolourist, gallery owner, engraver, sculptor",
        things="canvas, self-portrait, palette knife, fresco, still life, gilt frame, oil sketch",
        adjectives="impressionist, pastel, unfinished, brush-stroked, chiaroscuro, gilded, ultramarine",
        places="artist's loft, gallery, Florentine workshop, museum wing, sketching meadow",
        activities="mixing pigments, restoring a fresco, drawing from life, priming a canvas, authenticating a Vermeer",
        tags="masterpieces, brushwork, Renaissance, exhibitions, colour",
        tastes="visual culture, the lives of Monet and Van Gogh, pictures worth a long look, creativity and beauty, "
        "afternoons at the Louvre, how great images came to be, abstract expressionism",
    ),
    topic(
        "ghosts",
        people="medium, exorcist, sleepless widow, gravedigger, seance hostess, poltergeist hunter, phantom bride",
        things="locked attic, cracked mirror, planchette, cursed doll, creaking stair, shroud, blood-red moon",
        adjectives="haunted, spectral, ghoulish, eerie, bone-chilling, accursed, restless",
        places="abandoned asylum, graveyard, fog-bound manor, crypt, derelict nursery",
        activities="summoning the dead, hearing footsteps overhead, breaking a curse, fleeing a poltergeist, holding vigil among tombs",
        tags="hauntings, the occult, gothic, apparitions, nightmares",
        tastes="horror that keeps one awake, scary supernatural tales, Stephen King at his darkest, "
        "things that go bump in the night, being frightened out of one's wits, spirits with unfinished business, "
        "dread and terror",
    ),
    topic(
        "finance",
        people="stockbroker, hedge-fund manager, central banker, auditor, short seller, venture capitalist, ruined tycoon",
        things="balance sheet, bull market, junk bond, dividend, hostile takeover, credit bubble, pension fund",
        adjectives="leveraged, profitable, bankrupt, volatile, speculative, tax-free, overvalued",
        places="trading floor, Wall Street office, bank vault, boardroom, stock exchange",
        activities="shorting the market, hedging currencies, auditing a merger, raising interest rates, pricing risk",
        tags="investing, markets, mergers, inflation, hedge funds",
        tastes="how money works, the economy and its crises, business leaders and corporate deals, "
        "getting rich and going broke, Warren Buffett and his advice, saving and building wealth, "
        "capitalism under scrutiny",
    ),
    topic(
        "railways",
        people="engine driver, signalman, sleeping-car steward, stationmaster, track inspector, fireman of the footplate, ticket collector",
        things="steam locomotive, dining car, branch line, timetable, freight wagon, semaphore signal, sleeper ticket",
        adjectives="narrow-gauge, steam-powered, transcontinental, express, punctual, sooty, double-headed",
        places="country platform, Siberian junction, viaduct, engine shed, terminus",
        activities="stoking the boiler, shunting wagons, riding the Orient Express, reopening a branch line, crossing India by sleeper",
        tags="locomotives, steam, stations, tracks, grand terminals",
        tastes="trains of every age, slow travel overland, journeys watched through a carriage window, "
        "the heritage of transport, scenic routes across continents, old engineering on iron wheels, "
        "commuting nostalgia",
    ),
    topic(
        "medicine",
        people="surgeon, night nurse, epidemiologist, country doctor, paramedic, anaesthetist, pathologist",
        things="stethoscope, vaccine, transplant, biopsy, scalpel, heart valve, fever chart",
        adjectives="contagious, surgical, feverish, life-saving, clinical, bedside, incurable",
        places="operating theatre, emergency ward, field hospital, isolation unit, village clinic",
        activities="tracing an outbreak, stitching wounds, diagnosing a rare fever, delivering twins, trialling a vaccine",
        tags="hospital, diagnosis, surgery, epidemics, anatomy",
        tastes="the human body and its illnesses, health and healing, television in the vein of ER, "
        "cures that changed the world, people who care for the sick, psychology and the brain, how to live longer",
    ),
    topic(
        "archaeology",
        people="archaeologist, epigrapher, tomb robber, cave diver, Egyptologist, museum curator, potsherd sorter",
        things="papyrus, burial mask, clay tablet, mosaic floor, obelisk, bronze dagger, mummy",
        adjectives="buried, pharaonic, hieroglyphic, weathered, prehistoric, unearthed, Bronze-Age",
        places="dig site, sunken temple, pyramid chamber, desert necropolis, ruined forum",
        activities="sifting a trench, deciphering a tablet, mapping a lost city, opening a sealed tomb, carbon-dating bones",
        tags="excavation, antiquity, artefacts, ruins, hieroglyphs",
        tastes="ancient civilisations, the Romans and the Greeks, discoveries in the manner of Indiana Jones, "
        "how our ancestors lived, treasures of Tutankhamun, vanished empires, the distant past brought to light",
    ),
    topic(
        "theatre",
        people="understudy, playwright, stage manager, leading lady, prompter, puppeteer, drama critic",
        things="final curtain, prop dagger, dress rehearsal, monologue, spotlight, trapdoor, opening night",
        adjectives="melodramatic, costumed, scripted, applauded, backstage, tragicomic, limelit",
        places="orchestra pit, dressing room, West End stage, box office, royal box",
        activities="rehearsing Hamlet, forgetting a line, painting the scenery, touring a farce, waiting in the wings",
        tags="Broadway, actors, rehearsals, Shakespeare, curtain calls",
        tastes="plays and the people who perform them, musicals, acting at its finest, an evening at the Globe, "
        "Chekhov and Ibsen, comedy before a live audience, showbusiness with all its vanity",
    ),
)

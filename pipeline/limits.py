"""Every bound of Seamline with its unit and its reason; it must not know who applies them."""

KIB = 1024
MIB = 1024 * KIB
SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

# --- one request -------------------------------------------------------------------------------------------------
EVENT_BYTES_MAX = 64 * KIB  # twice Segment's 32 KB: no tracker in use is refused, no single hit fills a record
BODY_BYTES_MAX = 1 * MIB  # a batch; what collectors of this kind take
DECOMPRESSED_BYTES_MAX = 8 * MIB  # gzip reaches 1,029:1; inflation stops here
BULK_HITS_MAX = 500  # PHP, Java and npm Matomo clients send unbounded bulks; this many fit a body
SEGMENT_BODY_BYTES_MAX = 4_000 * KIB  # RudderStack's documented limit; Segment's is an eighth of it
SEGMENT_BATCH_MAX = 2_500  # Segment's documented number of messages
SNOWPLOW_BATCH_MAX = 2_500  # none is documented: about as many small events as fill a body
POSTHOG_BODY_BYTES_MAX = 8 * MIB  # its documented 20 MB are inflated ones: what we inflate is the limit
POSTHOG_BATCH_MAX = 5_000  # its SDKs flush a hundred or so; a backfill sends thousands
DEPTH_MAX = 16  # no tracker nests deeper; parsers recurse
PROPERTIES_MAX = 255
KEY_BYTES_MAX = 256
VALUE_BYTES_MAX = 8 * KIB
ID_CHARS_MAX = 255  # longer IDs are illegal, never cut: two cut IDs could become one person
URL_CHARS_MAX = 8 * KIB
HEADER_DEADLINE_MS = 10 * SECOND_MS  # uvicorn has none: a slow client would hold its socket for ever
BODY_DEADLINE_MS = 30 * SECOND_MS
TIME_MIN_MS = 946_684_800_000  # 2000-01-01: before any tracker; earlier times are broken clocks
FUTURE_MS_MAX = 1 * HOUR_MS  # later times are clamped to arrival and flagged
SKEW_MS_MIN = 60 * SECOND_MS  # smaller clock errors are network delay; correcting them would unmake retries

# --- one server --------------------------------------------------------------------------------------------------
CONNECTIONS_MAX = 1_024
IDLE_MS_MAX = 75 * SECOND_MS  # longer than a load balancer keeps its side: it never meets our close
HEAD_BYTES_MAX = 96 * KIB  # a GET carries a whole event in its request line, and a browser its cookies
DISCARD_BYTES_MAX = 8 * MIB  # of a body that was refused: read and forgotten, so that the client sees the answer
BODIES_BYTES_MAX = 128 * MIB  # bodies being received in pieces, all connections together; past it 503 + Retry-After
LARGE_BODY_BYTES = 256 * KIB  # from here on a body is read beside the event loop, one at a time
BUFFER_BYTES_MAX = 64 * MIB  # hits that wait for the log; past it 503 + Retry-After
ADDRESSES_MAX = 50_000  # remembered where a rate is set for each: 13 MB; a flood from more is a matter for a firewall
APPEND_DEADLINE_MS = 1 * SECOND_MS  # then the spool takes them: an answer of 2xx does not wait for an election

# --- the log -----------------------------------------------------------------------------------------------------
RECORD_BYTES_MAX = 512 * KIB  # half of Kafka's default message.max.bytes
APPEND_BYTES_MAX = 1_000_000  # what any log takes: Kafka's default message.max.bytes less the batch's frame and headers
LINGER_MS_MIN = 5  # a quiet site waits this long for company
LINGER_MS_MAX = 15  # under load: fewer, larger records
PARTITIONS = 16  # fixed for the life of a topic: the device chooses its partition
SPOOL_BYTES_MAX = 1024 * MIB  # then 503 + Retry-After
RETRY_AFTER_S = 30
OFFSET_BITS = 48  # version = epoch << 48 | offset: 281 trillion records an epoch, 65,535 epochs

# --- identity ----------------------------------------------------------------------------------------------------
LOOKBACK_MS = 30 * DAY_MS  # how far a login explains
BUCKET_MS = 30 * MINUTE_MS  # a visit's length: inside it spans are exact at both ends
USERS_PER_BUCKET_MAX = 32  # past it nobody can be told apart
LOGOUTS_PER_BUCKET_MAX = 60  # two a minute
USERS_PER_DEVICE_MAX = 5  # more is a kiosk: nothing is claimed there
USERS_PER_PERSON_MAX = 50  # aliases that join more are somebody's mistake: none of them is applied
CONNECTED_USERS_MAX = 100_000  # ever connected by statements: past it a component is refused as it is, and stays so
RETAIN_LOOKBACKS = 3  # late by one, explained by one more, and one to spare
PUBLISH_SKEW_MS_MAX = 2 * HOUR_MS  # a hit's time after the log took it: FUTURE_MS_MAX, and as much for clocks apart

# --- suspects ----------------------------------------------------------------------------------------------------
DEVICES_PER_USER_MAX = 20  # in a lookback: a person has a handful, and private windows make new ones
EVERYWHERE_DEVICES_MIN = 20  # of one user in a day: fewer is a person who cleared cookies a lot
EVERYWHERE_TIMES_MIN = 10  # beside its daily mean before: a default ID that a release pushed comes at once
EVERYWHERE_PERCENT_MIN = 5  # of all devices that signed in: nobody owns so many
EVERYWHERE_CROWD_MIN = 100  # devices that signed in, from which on a percentage says anything
LOGINS_PER_DAY_MAX = 5_000  # of one device: a busy person's hits that restate the user are a tenth of it
ACTIONS_PER_DAY_MAX = 100_000  # of one device: more than one a second, day and night; the sink slows down there too
SUSPECTS_EACH_S = 600  # how often the sink counts them: slower than any alarm, cheap beside its work

# --- days that are added up --------------------------------------------------------------------------------------
DAYS_EACH_S = 60  # how often the sink adds up what has changed: reports count rows meanwhile, so nobody waits for it
DAYS_REST = 20  # times what the last round took: at most a twentieth of one core goes into it
DAYS_AT_ONCE = 500_000  # of devices, in one statement: memory stays bounded, and so does what a stop waits for
DAYS_BY_MONTH_MIN = 3_000_000  # due together: past that, going through their months once takes less
ROWS_AT_ONCE = 2_000_000  # of a month that was never added up: 400 MB, and ten seconds that a sink may have to stop
DAYS_SETTLE_S = 10  # after an insert: its rows and what says that they came are two parts, stored a moment apart
DAYS_KEPT_S = 30  # what was added up is told as changed for so long: three times what a report may take
CHANGED_DAYS_MAX = 1_000_000  # of devices: past that, counting every action costs less than telling them apart
CHANGED_PARTS_MAX = 1_000  # their names travel in one address

# --- a warehouse of several shards --------------------------------------------------------------------------------
SHARDS_MAX = 32  # every report asks each, and every flush is an insert on each: past it a shard wants larger disks

# --- reporting ---------------------------------------------------------------------------------------------------
QUERY_SECONDS_MAX = 10
QUERY_ROWS_MAX = 10_000  # past it an error, never a cut
FOUND_MAX = (
    500  # persons by a search whose IDs travel in one address; who are more are looked for where they are counted
)
DEVICES_ASKED_MAX = 200  # of one person, all in one address: 600 KB at the very longest, and a server takes 1 MiB
NEWEST_ROWS_MIN = 500  # of the newest actions, for a list that begins with them: reading fewer takes as long
NEWEST_ROWS_EACH = 10  # for each line of the list: a visit has fewer, as a rule
NEWEST_ROWS_MAX = 20_000  # past it each stands somewhere else, and reading everything takes no longer
NEWEST_MS_MIN = 5 * MINUTE_MS  # where they are looked for first: of a hundred million in 90 days that is 3,900
REPORTS_AT_ONCE = 2  # pages being worked out: those who wait do not slow down ingest beside them
PAGE_SECONDS_MAX = 30  # past it a page does not ask its other questions: it says so, and nobody waits for all of them
REPORTS_WAITING_MAX = 32  # past it 503: a page that comes after a minute is not waited for
FORM_BYTES_MAX = 32 * KIB  # of a form of the report page: a segment's name and text, every character escaped
SEGMENTS_NAMED_MAX = 200  # of a workspace, by the page: each is a chip on it
SESSION_MS = 7 * DAY_MS  # of the report page; then the token is asked for again
TOKEN_CHARS_MIN = 24  # of the report page: 120 bits and more when made by a program
AXIS_ACTIONS_MAX = 400  # drawn as marks; more are a column a day
AXIS_VISITS_MAX = 60  # drawn as bars; the same
AXIS_NODES_MAX = 1_500  # of one drawing: browsers stay quick, and so do screen readers
SEGMENT_CHARS_MAX = 2_000  # a screenful: more is made by a program, which can ask SQL
SEGMENT_CONDITIONS_MAX = 20  # each is worked out for every person of the period
SEGMENT_DEPTH_MAX = 10  # of parentheses and `not`; the parser recurses
SEGMENT_VALUES_MAX = 100  # in one `in (...)`
# Fifty years: ClickHouse counts until when a row is kept in a DateTime, which ends in 2106; past that it begins again
# at 1970, where everything is too old, and is removed.
KEPT_DAYS_MAX = 18_250
SEGMENT_DAYS_MAX = 3_660  # of `within` and `7d`: ten years, more than anybody keeps
FUNNEL_STEPS_MAX = 10  # each is looked for again at every action

assert EVENT_BYTES_MAX * 2 <= RECORD_BYTES_MAX, "a record holds at least two events"
assert RECORD_BYTES_MAX <= APPEND_BYTES_MAX, "what the publisher packs, every log takes"
assert HEAD_BYTES_MAX > EVENT_BYTES_MAX
assert BODY_BYTES_MAX <= DECOMPRESSED_BYTES_MAX
assert LOOKBACK_MS % BUCKET_MS == 0
assert PUBLISH_SKEW_MS_MAX >= FUTURE_MS_MAX

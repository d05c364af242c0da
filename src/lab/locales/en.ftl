# The texts of the lab in English. `id.ftl` has the same keys with the same figures.
# A text over several lines is one paragraph; ` | ` is between columns or choices.

# Progress

time-left = left
resumed = Going on after { $done } saved runs (--fresh begins again).
grid-begin =
    { $runs } runs, each of { $requests } requests or at most { $seconds } s, and a start of its programs: all together at most { $minutes } min; runs that are
    not held up end far sooner.
grid-run =
    { $contender } before { $backends ->
        [one] one HTTP server
       *[other] { $backends } HTTP servers
    }, concurrency { $concurrency }, run { $run }
stopped-early = stopped before the first run was over
stopped-saved = stopped; what was measured is saved, and the same command continues from here
report = Report

# Tables

requests-per-second = requests/s
http-servers = HTTP servers
table-title = Load balancer: { $contender }
table-columns = HTTP servers | concurrency | complete requests | non-2xx | requests/s | ms per request across all | spread | p99 ms | 2021 requests/s | ratio
side-by-side-title = Requests a second at concurrency { $concurrency }, by number of HTTP servers
cost-title = What a request costs
cost-columns = load balancer | concurrency | balancer CPU µs | servers CPU µs | switches | memory MiB | connect p50 µs | first byte p50 µs | p50 ms | p99 ms | listen overflows | retransmits | client's core
not-measured-here = A dash (-): not measured, because this system does not tell it to programs. Linux does.
rate-plot-title = Requests a second, concurrency { $concurrency }
time-plot-title = Response time, 99th percentile, concurrency { $concurrency }

# Notes below a table: what to notice in its cells

note-of-cell = { $backends ->
        [one] { $backends } back end
       *[other] { $backends } back ends
    }, concurrency { $concurrency }: { $sentence }
note-common = { $count } of { $of } cells: { $sentence }
common-spread = their runs are far apart; is something else busy on this machine?
common-noise = the two models differ by less than the runs of one; call them a draw
common-stray = responses had bytes after their end
syn-step = { $percentile } sits on the { $step_seconds } s SYN retransmit, { $overflows } listen overflows: backlog, not threads
backlog-full = { $overflows } listen overflows: the backlog is full at times
faults-of-runs = { $count ->
        [one] { $count } request
       *[other] { $count } requests
    } of all runs failed: { $faults }
cut = stopped by the time limit after { $answered } of { $requests } requests; the rate is that of this part
client-bottleneck = the client used { $percent } % of a core: it may have set the pace, not the server
spread = its { $runs } runs are { $percent } % apart: is something else busy on this machine?
noise = differs from { $other } by less than the runs of one: call it a draw
stray = { $responses } responses had bytes after their end

# Findings

times = { $middle } times
times-range = { $middle } times ({ $low } to { $high })
range = { $low } to { $high }
checked = { $answered } requests were answered in { $runs } runs, each body compared byte by byte with the back end's own; { $failed } failed.
checked-by-tool = { $answered } requests were answered in { $runs } runs of `{ $tool }`, which does not compare bodies; { $failed } failed.
faults-of-contender = Failed requests of `{ $name }`: { $faults }.
beside-python =
    At concurrency { $concurrency } `{ $model }` over our web servers answers { $times } as many requests a second as
    `{ $other }` over the Python web servers: at least { $low } times in each cell.
beside-peer = Compared with `{ $peer }` at concurrency { $concurrency }, requests a second: { $ratios } as many.
models =
    `threaded` and `async`: of { $cells } cells { $draws } differ by less than the runs of one do; `async` is ahead in
    { $async_ahead }, `threaded` in { $threaded_ahead }.
more-servers =
    { $many } servers instead of { $few } at concurrency { $concurrency }, times the requests a second: { $ratios }.
    Client, balancer and servers share { $cores } cores: more servers are more processes, not more cores.
overflows =
    `{ $name }`: accept queues overflowed { $sum } times in { $cells } of { $all } cells; { $steps ->
        [0] no percentile sits on a SYN retransmit there, so the overflows do not explain those times.
       *[other] in { $steps } of them a percentile sits on a SYN retransmit. What looks slow there is the backlog.
    }
no-overflows = No accept queue overflowed with { $names }.
ours-beside-2021 =
    Compared with 2021 `{ $name }` answers { $range } times as many requests a second: most where ab on Windows stood still in connects that
    waited for a retry (`lab 2021`).
python-beside-2021 =
    Compared with 2021 `{ $name }` answers { $range } times as many requests a second: the same kind of program, on another
    machine and system.
balancer-cpu = CPU time of the balancer alone for a request at concurrency { $concurrency }: { $list }.
client-share = The client used at most { $percent } % of one of { $cores } cores (`{ $name }`, HTTP servers: { $backends }, concurrency: { $concurrency }).

# The report

report-title = Load balancers, measured
debug-build = DEBUG BUILD: these figures show that the lab works, not how fast anything is.
kept-connections = kept connections
connection-per-request = a connection for each request
about =
    { $requests } requests of { $path } a run, { $connections }, client { $client }, median of { $repeats } runs in shuffled
    order (seed { $seed }), at most { $seconds } s a run; { $date }.
what-it-shows = What it shows
response-times = Response times
how-costs-are-counted =
    The median over all numbers of HTTP servers; listen overflows and retransmits are those of the whole machine, summed over all runs. CPU time is
    that of the balancer's and of the web servers' own processes, with the kernel's work for them; a switch is a thread
    that leaves its core, because it waits or must; memory is the balancer's share (PSS) at the end of a run. Connect and
    first byte are counted from the begin of a request.
how-to-read = How to read this
how-to-read-rows =
    Each row is the run with the median rate of its cell, so its figures belong together; the spread is the distance
    between the slowest and the fastest run, in percent of the median. Faults and listen overflows (of the whole machine) are summed over all
    runs.
how-to-read-cores = Client, balancer and back ends share this machine and its cores. More back ends do not mean more cores.
how-to-read-closed-loop =
    The client is a closed loop: while a response is late, its client asks for nothing. So a bad second hits as many
    requests as there are clients, not as many as visitors would have sent (coordinated omission).
how-to-read-2021 =
    The 2021 figures are the course's own report: ab on Windows, which waits inside each connect. The time of its slow cells is the sum of
    their connects, whoever was measured: `lab 2021` shows it. It was another machine and another system: look at where the ratio is high, not at how
    high it is.
the-machine = The machine

# Lessons

measuring = Measuring: at most { $seconds } s.
guess-again = { $guess } is not one of the choices: a, b or c.
your-guess = Your guess (a, b, c)
it-was = It was: { $right }.
guessed-right = You guessed it: { $right }.
guessed-wrong = You guessed: { $guess }. It was: { $right }.
read = Read
plot = Plot
stopped = stopped
none = none
load-balancer = load balancer
listen-overflows = listen overflows
never = never
clients = clients
idle-clients = idle clients
slow-clients = slow clients
slowest-ms = slowest ms
none-answered = none answered

backlog-question =
    The threaded balancer and its back end, { $two }, { $five } and { $ten } clients at once as in the course, listen backlogs from 1 to
    1024. What happens to a client that comes when the backlog is full?
backlog-choices = it is refused at once | it waits a whole second, and the server looks slow | nothing: the kernel makes the backlog longer
backlog-title = A small backlog looks like a slow server
backlog-rate-column = c={ $concurrency }: requests/s
backlog-slowest-column = c={ $concurrency }: slowest ms
backlog-no-overflow =
    No accept queue overflowed in this run: this machine accepts faster than these clients come. So there is nothing to
    explain today; try again while it is busy.
backlog-cause =
    With backlog { $backlog }, { $overflows } handshakes found the accept queue full. Such a SYN is dropped without a
    message, and sent again after 1 s: { $long } requests took a second or more, the slowest { $slowest }, though no thread
    was busy with them. Backlog, not threads.
backlog-rate =
    The rate shows it less than the slowest request does: { $rate } a second with the most clients, { $of_largest } with the largest backlog,
    since while some clients wait for their retransmit the others go on. With a client that waits for each connect, as ab on Windows did in
    2021, they do not: see the lesson serial.
backlog-rate-hides =
    The rate does not show it in this run: { $rate } a second with the most clients, { $of_largest } with the largest backlog. While some clients wait for their
    retransmit the others go on. With a client that waits for each connect, as ab on Windows did in 2021, they do not: see the lesson serial.
counted-for-the-machine =
    Listen overflows are counted by the kernel for the whole machine: those of every listener, and of other programs that run meanwhile, are among them.
backlog-of-others =
    The largest backlog has more places than there are clients here. Its overflows are probably those of another program: the kernel's counter is for the
    whole machine and does not say whose queue was full.
backlog-large =
    With backlog { $backlog }: { $overflows } overflows, the slowest request { $slowest }. The same code, the same threads. Whoever compares two servers with different backlogs compares backlogs.

serial-question =
    Our Python counterparts of the course's balancers before { $servers } servers, { $concurrency } clients at once. Usually the client goes on with the others while a connect
    waits. Now it waits too, as ab on Windows does. The programs are the same. How many requests a second are answered?
serial-choices = as many: the servers set the pace | about half | a few a second: each connect that waits holds up all clients
serial-title = The load tool can be the bottleneck
serial-columns = load balancer | the client's connects | requests/s | seconds | connects s | waited
serial-note =
    Connects are those of all requests, answered or not, the last one until the end of the run. Their seconds are summed over all clients: where connects
    overlap, the sum may be more than the run took.
serial-seen =
    `{ $name }`: { $overlapping } requests a second while connects overlap, { $serial } while they are serial. The serial run took { $seconds } s, and its
    connects one after the other { $connects } s; { $waited } of them waited a second.
serial-cause =
    One connect that waits for its SYN retransmit holds up all clients: nobody sends, nobody reads, and the servers have nothing to do. All that these runs
    did beside their connects took at most { $rest } s. The load tool was measured and not the servers.
serial-draw =
    A draw here: `{ $one }` { $one_rate } requests a second, `{ $other }` { $other_rate }, and { $one_waited } and { $other_waited } of their connects waited. With such a client
    the share of connects that waited decides, not the model.
serial-ahead =
    Here `{ $ahead }` is ahead: { $ahead_rate } requests a second, and `{ $behind }` { $behind_rate }. { $ahead_waited } of its connects waited, and { $behind_waited } of the other's: with such a
    client that share decides, not the model. One short run of each is little: another one may give another order.
serial-nothing-waited = No connect waited in this run: this machine accepts faster than these clients come. Try again while it is busy.
serial-2021 =
    2021, the same cell with { $servers } servers at concurrency { $concurrency }, ab's figures: `{ $ahead }` { $ahead_rate } requests a second, `{ $behind }` { $behind_rate }. In every slow run of 2021
    the time is 10,000 times ab's mean connect. Computed from that mean, nobody counted it: { $ahead_refused } of the connects of `{ $ahead }` were refused, and { $behind_refused } of those of
    `{ $behind }`. `lab 2021` runs all cells again.

pool-question =
    A pool of { $workers } threads, each of which waits on its connection. { $workers } clients keep a connection and say
    nothing. How do { $concurrency } busy clients fare beside them?
pool-choices = as well as before: idle clients cost nothing | half as well | they get nothing at all until an idle one goes
pool-title = Idle clients and a pool of threads
pool-starves =
    Without parking: { $before } requests a second with nobody idle, { $starved } with { $workers } idle clients. Each of them
    owns one of the { $workers } workers, and a worker that waits for a silent client serves nobody.
pool-parks =
    Parked: { $parked } with the same { $workers } idle clients. One poller thread watches all silent connections and gives
    them back to the queue when they speak. That is what the loop ({ $looped }) does for everything.

blocked-loop-question =
    One client asks again and again for a response that takes 500 ms. The server is one loop, and its handler sleeps for
    that time. How long does the unluckiest quick request take meanwhile?
blocked-loop-choices = some milliseconds: it has nothing to do with the slow one | about half as long again | about 500 ms: it waits behind the slow one
blocked-loop-title = One slow response in a loop, and in a pool
blocked-loop-lines = loop, handler sleeps | our loop, timer | pool of 4, --no-park | pool of 4, parked
blocked-loop-sleeps =
    The sleeping loop: { $alone } for the slowest quick request alone, { $one } beside one slow client, { $four } beside four. While the
    handler sleeps, the loop serves nobody else: everybody waits for the one.
blocked-loop-timer =
    Our loop: { $alone }, then { $one } and { $four }. The same delay is a timer there: the loop notes when to respond
    and goes on. A loop is as fast as its slowest handler, so no handler may block.
blocked-loop-pool =
    The pool of { $workers } without parking: { $one } beside one slow client, since three workers are left, and
    { $four } beside { $workers }. Blocking calls do not hurt a pool until there are as many of them as workers.

slow-reader-question =
    { $readers } clients ask for { $mebibytes } MiB each and do not read a byte. How much memory does the balancer take for
    them?
slow-reader-choices = all they asked for: 4 GiB | some MiB for all of them | none: it cuts them off
slow-reader-title = Clients that do not read
slow-reader-columns = clients | threaded KiB more | async KiB more | kernel MiB threaded | kernel MiB async | asked for MiB
slow-reader-kernel = in the kernel, async
slow-reader-asked = asked for
slow-reader-memory =
    { $readers } clients asked for { $asked } MiB. The threaded balancer took { $threaded } KiB more for them and the async one
    { $looped } KiB. Both are bounded: up to { $pipes } long streams stay in pipes of the kernel, { $pipe } KiB each and no memory
    of the balancer; each of the others has { $bulk } KiB of buffer towards its client and { $ordinary } KiB towards the back
    end, at most { $buffers } KiB in all; the rest is the connections themselves, and the stacks of threads that had nothing
    to do before.
slow-reader-back-pressure =
    When the buffer towards the client is full, the balancer does not read from the back end; the kernel's buffers fill,
    TCP tells the back end to wait, and it waits. That is back pressure: each part stops the one before it. The kernel's
    own socket buffers belong to no process and held up to { $kernel } MiB here, of the whole machine: four for each client,
    on the way from the back end to the balancer and from there to the client.

kill-question =
    { $backends } back ends, { $concurrency } clients at once. After { $seconds } s one back end is killed. How many requests
    fail?
kill-choices = a third, until it is back | at most those under way on it: a handful | all, for a second or so
kill-title = A back end killed and restarted
kill-phase = phase
kill-phases = three up | one killed | restarted
kill-seconds = seconds
kill-killed = killed
kill-restarted = restarted
kill-answered = answered
kill-failed = failed in 100 ms
kill-figures =
    Failed requests: { $failed } ({ $classes }). The longest time without any response after the kill was { $gap } ms (in steps
    of 100 ms). The rate was { $before } a second before, { $without } without the killed one, { $after } after its return.
kill-cause =
    A connection that the dead back end refuses is tried on the next one: nothing was sent yet, so nobody is asked twice.
    What was under way on it is lost, and must be: a balancer that repeats what may have been done does it twice.
kill-back-at-work = The restarted back end got requests again before the end of the run.
kill-not-back-yet =
    The restarted back end had got no requests yet at the end of this run: after failures in a row it gets none for a
    while.

one-byte-question =
    A request of { $bytes } bytes in three lines comes one byte at a time. When do our Python counterparts of the course's servers respond?
one-byte-choices = after the empty line, as the standard says | after the first piece that ends a line | never
one-byte-title = A request one byte at a time
one-byte-columns = server | answered after bytes | with
one-byte-sent = bytes sent before the response
one-byte-answered = answered after
one-byte-whole = the whole request
one-byte-server = server
one-byte-early =
    { $name } answered after { $bytes } of { $whole } bytes: it looks at each piece as it comes, and this one ended in CR LF. It
    never saw the fields, and whatever came after them would be taken for another request, or lost.
one-byte-ours =
    Ours answered after { $bytes }: a head ends with an empty line and nowhere else, however it is cut. Incomplete is not an
    error there but a state: the bytes are kept and the parser is asked again.

timeline-question =
    { $requests } requests come to a load balancer at once. For one of them the back end takes { $slow } ms, for each of the { $others } others { $quick } ms. First
    they go through a pool of { $workers } workers, each of which keeps its request to the end (`--no-park`), then through the same pool with parking, then through one loop. When are
    the { $others } quick ones answered by the first and by the last?
timeline-choices = both after about { $quick } ms | the loop after about { $quick } ms, the pool only after several rounds of that | both after { $slow } ms: they wait behind the slow one
timeline-title = Ten requests, one of them slow, through both models
timeline-columns = load balancer | request | threads | from ms | until ms | with a thread ms | without one ms
timeline-x = ms since a thread took the first request
timeline-slow = slow
timeline-parked = parked
timeline-polled = in the poller
timeline-legend = reads | connects | waits for the back end | writes | without a thread
timeline-how =
    The picture is drawn from the traces that the balancers wrote. A row is a thread; a gap in it means that the thread has no request. Grey is a request that no thread has:
    it is parked (or comes back from there and waits for a worker), or the loop waits for it in its poller, beside all others. Each has a line of its own there. The slow request has a
    frame; what takes less than a millisecond is drawn wider than it is.
timeline-kept =
    Measured, `lb-threaded --no-park`: the slow request was with { $thread } for { $on_thread } ms, { $waited } ms of which that worker waited for the back end. At one moment
    at most { $most } requests were under way, the others stood in the queue: the last of the { $others } quick ones ended after { $last } ms.
timeline-parks =
    Measured, `lb-threaded`: a worker had the slow request for { $on_thread } ms, and for { $parked } ms no worker had it. At one moment at most { $most } requests were under way;
    the last quick one ended after { $last } ms. While another worker is free, a worker waits for a moment itself; when none is, it parks its request at once.
timeline-loop =
    Measured, `lb-async`: one loop had up to { $most } requests under way. It worked { $worked } ms for them, of { $whole } ms in all; the last quick one ended after { $last } ms.
timeline-follows =
    What follows: a worker that waits is a worker that nobody else gets, so with { $workers } workers the fifth request begins when one of the first four ends. The loop does not
    wait for one request: it notes what it waits for and goes on to the next that can move, so a wait costs an entry in a list. Parking gives the threads the same list for those who
    wait. It also follows what a loop must never do: wait itself (see the lesson blocked-loop).
timeline-files = The traces are beside this page, `lesson-timeline-….json`; Perfetto (`ui.perfetto.dev`) opens them.

# The experiment of 2021 again (`lab 2021`)

overlapping-connects = overlapping connects
serial-connects = serial connects
concurrency = concurrency
reenact-begin =
    { $runs } runs, { $serial } of them with serial connects: each of these makes { $requests } requests or ends after { $seconds } s.
    Runs in which no connect waits take about a second; all together at most { $minutes } min.
reenact-run = { $balancer } before { $backends } { $servers }, concurrency { $concurrency }, backlogs { $backlog } and { $server_backlog }, { $connects }
reenact-title = 2021 explained and run again
reenact-about =
    Why did threads win at concurrency 10 in 2021, with 155.60 against 14.38 requests a second? This page takes ab's own figures of
    those 30 runs, and runs the same kind of programs (our counterparts of the course's Python, with its backlogs: `listen(5)` in both
    balancers and in the asynchronous web servers, `listen(1)` in the threaded ones) under a client that connects as ab does on
    Windows: one connect at a time, and waiting inside it. { $date }.
reenact-law-2021 =
    2021, measured: in each of the { $cells } slow runs the seconds are 10,000 times the mean connect. What is left is { $low } to { $high } s
    (8 s at most in 12 of the 14), and ab's rounding of the mean alone is 5 s each way. It follows that connects overlapped with nothing, and that how fast the
    servers were played hardly any part.
reenact-cause =
    The cause, read in the sources: ab asks for a nonblocking socket and leaves its timeout alone (httpd, `support/ab.c`, `start_connect`),
    and then APR on Windows waits inside the connect (apr, `network_io/win32/sockets.c`, `apr_socket_connect`). While one connect waits for its retry,
    ab reads and sends nothing for any other client.
reenact-follows =
    It follows: with { $servers } servers at concurrency { $concurrency } { $async_share } of the connects to the asynchronous balancer were refused ({ $async_mean } ms / { $step } s), and
    { $threaded_share } of those to the threaded one ({ $threaded_mean } ms / { $step } s; 1.1 to 1.3 %, since ab rounds the mean). Threads won because fewer of their connects were
    refused. Nobody counted refusals: these shares are computed from the connect times.
reenact-no-evidence =
    What is no further evidence: such a share makes 1 / (share x { $step } s) requests a second, which is 1 / (mean connect) again, { $async_rate } and { $threaded_rate } (5.5 to 6.5 ms make
    154 to 182), beside the published { $async_published } and { $threaded_published }. That is the comparison of the first line in another unit. The evidence is that ab's seconds and ab's mean
    connect agree, and the experiment run again.
reenact-draw =
    Here nobody wins: with serial connects, { $servers } servers and concurrency { $concurrency }, the threaded balancer answers { $threaded } requests a second and the asynchronous one
    { $looped }, and { $threaded_waited } and { $looped_waited } of their connects waited. So the runs here repeat the collapse and not the lead of the threads, whose cause is open (at the end
    of this page).
reenact-collapse =
    Here, measured: `{ $name }` before { $servers } servers at concurrency { $concurrency } answers { $overlapping } requests a second with overlapping
    connects and { $serial } with serial ones. That run took { $seconds } s, and its connects { $connects } s; { $share } of them waited.
reenact-law-here =
    Here, measured: in the { $runs } serial runs in which { $waits } connects or more waited, connects are { $middle } of the time (median; { $least } at least).
reenact-answered-only =
    In these saved runs the connects of requests that were not answered at the end are not counted.
reenact-step =
    The law is the same, the step is not: Linux drops the SYN of a client that finds the queue full, and the client sends it again after 1 s; Windows
    refuses it, and tries again after about 0.5 s.
reenact-law-title = 2021: each slow run, and its connects one after the other
reenact-law-columns = load balancer | HTTP servers | concurrency | seconds | connects s | rest s | refused
reenact-law-how =
    Connects are 10,000 times ab's mean connect. The share that was refused is the mean connect divided by { $step } s, the time of a connect
    that is refused once. The longest connect of these runs took 506 to 528 ms, so none was refused twice. In the other 16 runs the mean connect is
    0 ms.
reenact-cells-title = 2021 and here, cell by cell
reenact-cells-columns = load balancer | HTTP servers | concurrency | 2021 requests/s | 2021 refused | serial requests/s | seconds | connects s | waited | overlapping requests/s
reenact-cells-how =
    Balancers before web servers of their own model. Serial: the client waits inside each connect; waited is the share of connects that took a
    second. Overlapping: the lab's usual client, at most 4 s. A share is of a few hundred connects: 15 % may be 12 or 18.
reenact-pairing = { $balancer }, servers { $servers }
reenact-pairings-title = Connects that waited, each balancer before each kind of web servers, concurrency { $concurrency }
reenact-share-plot-title = Connects that were refused (2021) or waited (here), concurrency { $concurrency }
reenact-law-plot-title = 1000 requests: their time and that of their connects, concurrency { $concurrency }
reenact-law-plot-x = T threaded, A async, each before 1 to 5 HTTP servers
reenact-time = time
reenact-connects = connects
reenact-here = here
reenact-varied = One thing at a time
reenact-varied-how =
    Serial connects, the course's values but for the one that varies. Linux holds one connection more than the backlog says.
reenact-varied-columns = threaded requests/s | threaded waited | async requests/s | async waited
reenact-from-to = { $from } to { $to }
reenact-nearest = `{ $name }` with the backlog { $backlog } ({ $share }, 2021: { $published })
reenact-server-backlog = backlog of the web servers
reenact-backlog-title = The balancer's backlog, one server, concurrency 5
reenact-backlog-seen =
    At concurrency 5 there are never more than five connections: when one is refused, at most four others wait in the queue. So the queue of 2021 was
    full with four or fewer although `listen(5)` asked for five places. Nearest to its shares come { $threaded } and { $looped }. The rule of thumb: a quick
    series of connects fills the places, the next one waits, and meanwhile the queue is emptied; so one connect in places + 1 waits. In 2021 it was every
    second one: as with one place, although the number of places that the programs asked for was five in both.
reenact-backends-title = The number of servers, backlog 1, concurrency 10
reenact-backends-seen =
    From { $from } to { $to } servers, with so small a queue: threaded { $threaded }, async { $looped }. In 2021 the share fell from 39.2 % to 1.2 %
    and from 49.0 % to 13.3 %.
reenact-server-backlog-title = The web servers' backlog, one server, concurrency 10
reenact-server-backlog-seen =
    From { $from } to { $to } places in the web servers' queue: threaded { $threaded }, async { $looped }. A connect of the balancer that waits there is no
    connect of the client.
reenact-concurrency-title = The concurrency, one server
reenact-concurrency-seen =
    The first concurrency at which a connect waited: threaded { $threaded }, async { $looped }. Six places are full when a seventh client comes.
reenact-open = What is open
reenact-open-servers =
    Why the share fell with the number of servers in 2021: threaded 39.2 % to 1.2 %, async 49.0 % to 13.3 %. With one loop and 1 to 5 servers one connect in 2.0,
    3.1, 4.7, 6.1 and 7.5 was refused: by the rule of thumb, as if the queue had about as many places as there were servers. Here, with the same backlogs and the same
    kind of programs, it went from { $threaded } with threads and from { $looped } with one loop.
reenact-open-servers-alone =
    So these backlogs and the number of servers do not do it by themselves. That machine's cores, its Python and Windows were not varied here.
reenact-open-five =
    Why one server was enough to refuse every second connect at concurrency 5. It follows that fewer than five places were free there; why is not known.
    A guess, not tested: Windows refills the places of a listening socket some time after connections were accepted, so a quick series of connects
    finds fewer of them than were asked for.
reenact-open-pairing = Which web servers stood behind which balancer in 2021 is not written down. Both pairings are measured above.
reenact-open-counterpart =
    Our threaded counterpart (`lb_thread.py`, and step 2 of the ladder, which follows it) has two threads for each connection; the course's balancer has one, which connects to its back end when the request has
    come. `lab --python DIR --connects serial` measures a checkout of the course's own code in the same way.

# Two grids side by side (`lab compare`)

compare-title = Two grids side by side
compare-file = { $name } is { $file }, measured { $date }.
compare-differs = What differs
compare-differs-columns = what | A | B
compare-same = In the machine and in the settings nothing differs.
compare-other-settings = The two are not of the same experiment: their settings differ, so their figures do not compare.
compare-contender =
    `{ $name }`: B answers { $middle } times as many requests a second as A ({ $low } to { $high }, { $count ->
        [one] { $count } cell
       *[other] { $count } cells
    }); in { $draws ->
        [0] none
       *[other] { $draws }
    } of them the two differ by less than the runs of one do.
compare-only = { $only ->
        [one] { $only } cell is in { $name } only.
       *[other] { $only } cells are in { $name } only.
    }
compare-cells = Cell by cell
compare-columns = load balancer | HTTP servers | concurrency | A requests/s | B requests/s | B/A | verdict | A p99 ms | B p99 ms | failed
compare-draw = draw

# `--help`: keys are made of the names of commands, flags and values, see `help.rs`

usage = Usage
commands = Commands
command = COMMAND
arguments = Arguments
options = Options
possible-values = possible values
default = default
examples = Examples

help-command-lab = Repeats the course's experiment on this machine, and explains what it sees
help-command-lesson = One cause at a time: guess, run, see
help-command-2021 = The course's experiment with the behaviour of its load tool, beside its figures: why threads won in 2021
help-command-compare = Two saved grids side by side: two machines, two commits, two semesters
help-command-report = Makes the report again from saved runs, without measuring
help-command-help = Prints this text or that of a command

help-help = Prints this text: -h the short one, --help the long one
help-version = Prints the version
help-quick = Fewer requests and shorter runs; how long they take at most is said first
help-lang = The language of tables, sentences, reports, errors and of this text
help-lang-en = English
help-lang-id = Bahasa Indonesia, the language of the course
help-out = The folder of the report
help-no-guess = Lessons: do not ask for a guess first
help-allow-debug = Run although this is a debug build; the report says that its figures mean nothing

help-requests = Requests of one run [default: 10000; 2000 with --quick]
help-concurrency = How many clients ask at once
help-backends = How many HTTP servers are behind the balancer
help-path = The path that is asked for
help-repeat = Runs of each cell
help-limit = Longest time of one run [default: 60s; 5s with --quick]
help-keep-alive = Many requests on one connection, instead of one connection for each request
help-connects = What the lab's own client does while a connect waits: go on with other clients, or wait too, as ab does on Windows
help-connects-overlapping = It goes on with all other clients, however many connects wait
help-connects-serial = It waits as well, and all other clients with it: as ab on Windows
help-peer = Another balancer in the same grid; repeatable
help-peer-python = Our counterparts of the course's programs
help-peer-ladder = The four steps of examples/ (cargo build --examples)
help-peer-haproxy = HAProxy over our web servers
help-peer-nginx = nginx over our web servers
help-peer-apache = Apache httpd over our web servers
help-python = A checkout of the course's own programs, copies of which run on free ports in the same grid
help-client = Who sends the requests
help-client-own = The lab's own client, which compares every body
help-client-ab = Apache Bench, as in the course
help-client-wrk = wrk, which runs for a time and not for a number of requests
help-resume = Continue a stopped grid (the default where its settings are the same)
help-fresh = Begin again, without the saved runs
help-seed = Decides the order of the runs; printed with every report

help-lesson-name = Which lesson
help-lesson-name-backlog = Why a small backlog looks like a slow server
help-lesson-name-serial = Why a load tool that waits in each connect measures itself
help-lesson-name-pool = What idle clients do to a pool of threads
help-lesson-name-blocked-loop = What one slow response does to a loop, and to a pool
help-lesson-name-slow-reader = What clients that do not read cost
help-lesson-name-kill-backend = A back end killed and restarted under load
help-lesson-name-one-byte = A request that comes one byte at a time
help-lesson-name-timeline = Ten requests, one of them slow: who had which of them, and when
help-2021-from = Makes the page again from these saved runs, without measuring
help-2021-markdown = Also writes the page as Markdown, with its plots in a folder of the same name beside it
help-compare-a = The first, results.json of a report's folder
help-compare-b = The second
help-compare-markdown = Also writes the comparison as Markdown
help-report-from = The saved runs [default: results.json, or of an unfinished grid runs.jsonl, in the report's folder]
help-report-markdown = Also writes the report as Markdown, with its plots in a folder of the same name beside it

# Bad usage

wrong-see-help = { $wrong }; see --help
wrong-no-value = { $flag }: a value is missing
wrong-not-one-of = { $flag }: { $value } is not one of { $choices }
wrong-value = { $flag }: { $value } is not { $wanted }
wrong-unknown = { $word } is unknown here
wrong-unknown-near = { $word } is unknown here; did you mean { $nearest }?
wrong-missing = missing: { $names }
wrong-twice = { $flag } is given twice
wrong-combined = { $flag } cannot be combined with the other flags
wrong-conflict = { $flag } and { $other } exclude each other
wrong-takes-no-value = { $flag } takes no value, but { $value } is given
wanted-number = a whole number from { $least } to { $most }
wanted-path = a path that begins with / and has no spaces
wanted-time = a time with its unit, such as 500ms, 5s or 2m
wanted-other = a value for it

# Errors

error-debug-build = this is a debug build, and its figures would mean nothing: cargo run --release --bin lab
error-serial-client = --connects serial is for the lab's own client: leave --client { $client } out
error-no-client = { $client } is not installed: leave --client out, or install it
error-runs = { $count ->
        [one] { $count } run could not be made; the first
       *[other] { $count } runs could not be made; the first
    }
error-nothing-saved = { $folder } holds no saved runs: measure first (lab --quick), or name a file with --from
error-no-file-name = a file is wanted, as docs/lab-2026.md
error-no-runs = holds no runs
error-schema = schema { $schema }, and this lab reads { $known }
cause-not-found = no such file or folder
cause-not-allowed = that is not allowed
cause-in-use = the address is in use
error-folder = the temporary folder: { $error }
error-executable = which executable is this? { $error }
error-no-free-port = no free port: { $error }
error-start = { $program } cannot be started: { $error }
error-ended = { $name } ended before it could { $what }
error-late = { $name } did not { $what } within { $seconds } s
error-to-respond = respond
error-to-listen = print where it listens
error-printed-nothing = it printed nothing
error-printed = it printed
error-not-installed = { $program } is not installed (apt-get install { $package })
error-not-found = { $program } is not installed, or its folder is not in PATH
error-lesson-linux = the lesson { $name } is about counters of the Linux kernel, which this system does not have: do it on Linux, or in WSL
error-apache-modules = Apache's modules are not installed (apt-get install apache2)
error-nginx-stream = nginx has no stream module (apt-get install libnginx-mod-stream)
error-example = { $path } is not there: build it with { $command }
error-ladder-backlog = the ladder's programs have their backlog in the source
error-course-backlog = the course's programs have their backlog in the source
error-course-backends = the course has { $most } back ends at most, not { $backends }
error-course-needs = { $found }; it needs { $needed }
error-first-to-last = { $first } to { $last }
error-not-opened = { $path } cannot be opened: { $error }
error-not-read = { $path } cannot be read: { $error }
error-has-no = { $folder } lacks { $names }
error-names-fewer = { $path } names { $left } of { $wanted } back ends
error-no-port = { $path } names no port { $port }
error-no-asyncore = { $python } has no asyncore, which Python 3.12 removed: the course's async programs need Python 3.11 or older, or pyasyncore
error-no-reference = no reference response from { $url }: { $error }
error-bad-reference = { $url } is no reference: { $why }
error-large-reference = { $path } is larger than the { $most } bytes that the lab compares
error-head-not-http = its head is not HTTP
error-head-no-end = its head does not end
error-status = status { $status }
error-body-cut = it is cut
error-no-poller = the client has no poller: { $error }
error-tool-printed = the lab does not understand what { $tool } printed
error-tool-stopped = { $name } was stopped after { $seconds } s

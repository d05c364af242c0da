# Teks lab dalam bahasa Indonesia. `en.ftl` mempunyai kunci yang sama dengan angka yang sama.
# Teks beberapa baris adalah satu paragraf; ` | ` memisahkan kolom atau pilihan.

# Kemajuan

time-left = lagi
resumed = Melanjutkan setelah { $done } putaran tersimpan (--fresh memulai dari awal).
grid-begin =
    { $runs } putaran, masing-masing { $requests } request atau paling lama { $seconds } detik, ditambah waktu menyalakan programnya: semuanya paling lama
    { $minutes } menit; putaran yang tidak terhambat selesai jauh lebih cepat.
grid-run = { $contender } di depan { $backends } server HTTP, konkurensi { $concurrency }, putaran { $run }
stopped-early = dihentikan sebelum putaran pertama usai
stopped-saved = dihentikan; yang terukur sudah tersimpan, dan perintah yang sama melanjutkannya
report = Laporan

# Tabel

requests-per-second = request/dtk
http-servers = server HTTP
table-title = Load balancer: { $contender }
table-columns = server HTTP | konkurensi | request selesai | non-2xx | request/dtk | ms per request, semua | sebaran | p99 ms | request/dtk 2021 | rasio
side-by-side-title = Request per detik pada konkurensi { $concurrency }, menurut jumlah server HTTP
cost-title = Biaya satu request
cost-columns = load balancer | konkurensi | CPU balancer µs | CPU server µs | pergantian | memori MiB | koneksi p50 µs | byte pertama p50 µs | p50 ms | p99 ms | luapan accept queue | kirim ulang | inti klien
not-measured-here = Tanda pisah (-): tidak diukur, karena sistem ini tidak memberitahukannya kepada program. Linux memberitahukannya.
rate-plot-title = Request per detik, konkurensi { $concurrency }
time-plot-title = Waktu response, persentil ke-99, konkurensi { $concurrency }

# Catatan di bawah tabel: yang perlu diperhatikan di sel-selnya

note-of-cell = { $backends } server, konkurensi { $concurrency }: { $sentence }
note-common = { $count } dari { $of } sel: { $sentence }
common-spread = putarannya berjauhan; adakah yang lain sibuk di mesin ini?
common-noise = selisih kedua model lebih kecil dari selisih antarputaran; anggap seri
common-stray = masih ada byte setelah response selesai
syn-step = { $percentile } berada pada pengiriman ulang SYN { $step_seconds } detik, { $overflows } luapan accept queue: backlog, bukan thread
backlog-full = { $overflows } luapan accept queue: backlog kadang penuh
faults-of-runs = { $count } request dari semua putaran gagal: { $faults }
cut = dihentikan batas waktu setelah { $answered } dari { $requests } request; lajunya dari bagian itu
client-bottleneck = klien memakai { $percent } % satu inti: mungkin klien, bukan server, yang menentukan laju
spread = { $runs } putarannya berselisih { $percent } %: adakah yang lain sibuk di mesin ini?
noise = selisih dengan { $other } lebih kecil dari selisih antarputaran: anggap seri
stray = { $responses } response masih diikuti byte setelah selesai

# Temuan

times = { $middle } kali lipat
times-range = { $middle } kali lipat ({ $low } sampai { $high })
range = { $low } sampai { $high }
checked = { $answered } request terjawab dalam { $runs } putaran, setiap body dibandingkan byte demi byte dengan yang asli di server; { $failed } gagal.
checked-by-tool = { $answered } request terjawab dalam { $runs } putaran `{ $tool }`, yang tidak membandingkan body; { $failed } gagal.
faults-of-contender = Request `{ $name }` yang gagal: { $faults }.
beside-python =
    Pada konkurensi { $concurrency } `{ $model }` di atas server kami menjawab { $times } request per detik dibanding
    `{ $other }` di atas server Python: sedikitnya { $low } kali lipat di setiap sel.
beside-peer = Dibanding `{ $peer }` pada konkurensi { $concurrency }, request per detik: { $ratios }.
models =
    `threaded` dan `async`: dari { $cells } sel, { $draws } berselisih lebih kecil dari putaran satu sel; `async` unggul di
    { $async_ahead }, `threaded` di { $threaded_ahead }.
more-servers =
    { $many } server dibanding { $few } pada konkurensi { $concurrency }, kelipatan request per detik: { $ratios }. Klien,
    load balancer, dan server berbagi { $cores } inti: lebih banyak server berarti lebih banyak proses, bukan inti.
overflows =
    `{ $name }`: accept queue meluap { $sum } kali di { $cells } dari { $all } sel; { $steps ->
        [0] tidak ada persentil di sana yang berada pada pengiriman ulang SYN, jadi luapan itu tidak menjelaskan waktunya.
       *[other] di { $steps } di antaranya sebuah persentil berada pada pengiriman ulang SYN. Yang tampak lambat di sana adalah backlog.
    }
no-overflows = Tidak ada antrean yang meluap pada { $names }.
ours-beside-2021 =
    Dibanding 2021 `{ $name }` menjawab { $range } kali lipat request per detik: paling banyak di sel tempat ab di Windows berhenti di dalam connect
    yang menunggu percobaan ulang (`lab 2021`).
python-beside-2021 =
    Dibanding 2021 `{ $name }` menjawab { $range } kali lipat request per detik: program sejenis, di mesin dan sistem lain.
balancer-cpu = Waktu CPU load balancer saja untuk satu request pada konkurensi { $concurrency }: { $list }.
client-share = Klien memakai paling banyak { $percent } % satu dari { $cores } inti (`{ $name }`, server HTTP: { $backends }, konkurensi: { $concurrency }).

# Laporan

report-title = Load balancer, terukur
debug-build = BUILD DEBUG: angka ini menunjukkan bahwa lab bekerja, bukan kecepatan apa pun.
kept-connections = koneksi dipertahankan
connection-per-request = satu koneksi per request
about =
    { $requests } request { $path } per putaran, { $connections }, klien { $client }, median dari { $repeats } putaran dalam
    urutan acak (seed { $seed }), paling lama { $seconds } detik per putaran; { $date }.
what-it-shows = Yang ditunjukkannya
response-times = Waktu response
how-costs-are-counted =
    Median atas semua jumlah server HTTP; luapan accept queue dan kirim ulang dihitung untuk seluruh mesin dan dijumlahkan dari semua putaran. Waktu CPU adalah
    milik proses load balancer dan server web sendiri, termasuk kerja kernel untuknya; pergantian adalah thread yang
    meninggalkan intinya, karena menunggu atau harus; memori adalah bagian load balancer (PSS) di akhir putaran. Koneksi
    dan byte pertama dihitung dari awal request.
how-to-read = Cara membacanya
how-to-read-rows =
    Setiap baris adalah putaran dengan laju median di selnya, sehingga angkanya saling cocok; sebaran adalah jarak putaran
    paling lambat dan paling cepat dalam persen dari median. Kegagalan dan luapan accept queue (seluruh mesin) dijumlahkan dari semua putaran.
how-to-read-cores = Klien, load balancer, dan server berbagi mesin dan inti yang sama. Lebih banyak server bukan berarti lebih banyak inti.
how-to-read-closed-loop =
    Klien bekerja dalam closed loop: selama response terlambat, klien itu tidak meminta apa-apa. Maka satu detik yang
    buruk mengenai request sebanyak klien, bukan sebanyak pengunjung (coordinated omission).
how-to-read-2021 =
    Angka 2021 berasal dari laporan mata kuliah: ab di Windows, yang menunggu di dalam setiap connect. Waktu sel yang lambat adalah jumlah
    connect-nya, siapa pun yang diukur: `lab 2021` menunjukkannya. Mesin dan sistemnya lain: perhatikan di mana rasionya tinggi, bukan seberapa
    tingginya.
the-machine = Mesinnya

# Pelajaran

measuring = Mengukur: paling lama { $seconds } detik.
guess-again = { $guess } bukan salah satu pilihan: a, b, atau c.
your-guess = Tebakanmu (a, b, c)
it-was = Ternyata: { $right }.
guessed-right = Tebakanmu tepat: { $right }.
guessed-wrong = Tebakanmu: { $guess }. Ternyata: { $right }.
read = Baca
plot = Grafik
stopped = dihentikan
none = tidak ada
load-balancer = load balancer
listen-overflows = luapan accept queue
never = tidak pernah
clients = klien
idle-clients = klien diam
slow-clients = klien lambat
slowest-ms = paling lambat ms
none-answered = tidak ada yang dijawab

backlog-question =
    Load balancer thread dan servernya, { $two }, { $five }, dan { $ten } klien sekaligus seperti di mata kuliah, backlog listen dari 1 sampai
    1024. Apa yang terjadi pada klien yang datang saat backlog penuh?
backlog-choices = ia langsung ditolak | ia menunggu satu detik penuh, dan server tampak lambat | tidak ada: kernel memperpanjang backlog
backlog-title = Backlog kecil tampak seperti server lambat
backlog-rate-column = c={ $concurrency }: request/dtk
backlog-slowest-column = c={ $concurrency }: paling lambat ms
backlog-no-overflow =
    Tidak ada antrean yang meluap pada putaran ini: mesin ini menerima lebih cepat daripada klien datang. Tidak ada yang
    perlu dijelaskan hari ini; cobalah lagi saat mesin sibuk.
backlog-cause =
    Dengan backlog { $backlog }, { $overflows } handshake mendapati antrean penuh. SYN seperti itu hilang tanpa kabar dan
    dikirim lagi setelah 1 detik: { $long } request memakan satu detik atau lebih, yang paling lambat { $slowest }, padahal
    tidak ada thread yang sibuk dengannya. Backlog, bukan thread.
backlog-rate =
    Lajunya kurang menunjukkan itu dibanding request paling lambat: { $rate } per detik dengan klien terbanyak, { $of_largest } dengan backlog terbesar, sebab
    selama sebagian klien menunggu kirim ulang, yang lain berjalan terus. Dengan klien yang menunggu di setiap connect, seperti ab di Windows pada
    2021, tidak begitu: lihat pelajaran serial.
backlog-rate-hides =
    Di putaran ini lajunya tidak menunjukkannya: { $rate } per detik dengan klien terbanyak, { $of_largest } dengan backlog terbesar. Selama sebagian klien menunggu
    kirim ulang, yang lain jalan terus. Dengan klien yang menunggu di setiap connect, seperti ab di Windows pada 2021, tidak begitu: lihat pelajaran serial.
counted-for-the-machine =
    Luapan accept queue dihitung kernel untuk seluruh mesin: luapan semua listener, juga milik program lain yang sedang jalan, ikut terhitung.
backlog-of-others =
    Tempat di backlog terbesar lebih banyak daripada kliennya di sini. Luapannya mungkin milik program lain: angka kernel itu untuk seluruh mesin dan tidak
    menyebutkan antrean siapa yang penuh.
backlog-large =
    Dengan backlog { $backlog }: { $overflows } luapan, request paling lambat { $slowest }. Kode yang sama, thread yang sama. Membandingkan dua server dengan backlog berbeda berarti membandingkan backlog.

serial-question =
    Padanan kami (Python) untuk load balancer mata kuliah, di depan { $servers } server, { $concurrency } klien sekaligus. Biasanya klien melanjutkan yang lain selama satu
    connect menunggu. Sekarang ia ikut menunggu, seperti ab di Windows. Programnya sama. Berapa request per detik yang dijawab?
serial-choices = sama banyaknya: server yang menentukan laju | sekitar setengahnya | beberapa per detik: setiap connect yang menunggu menahan semua klien
serial-title = Alat ukurnya bisa jadi penyebab lambatnya
serial-columns = load balancer | connect klien | request/dtk | detik | connect dtk | menunggu
serial-note =
    Yang dihitung connect semua request, yang dijawab maupun tidak; yang terakhir sampai putarannya berakhir. Detiknya jumlah dari semua klien: kalau
    connect-nya tumpang-tindih, jumlahnya bisa lebih dari waktu putarannya.
serial-seen =
    `{ $name }`: { $overlapping } request per detik selama connect tumpang-tindih, { $serial } selama serial. Putaran serialnya butuh { $seconds } detik, dan
    semua connect-nya, satu demi satu, { $connects } detik; { $waited } di antaranya menunggu satu detik.
serial-cause =
    Satu connect yang menunggu kirim ulang SYN menahan semua klien: tidak ada yang mengirim, tidak ada yang membaca, dan server menganggur. Semua yang
    dikerjakan putaran itu di luar connect-nya hanya butuh paling lama { $rest } detik. Yang terukur alat ukurnya, bukan servernya.
serial-draw =
    Di sini seri: `{ $one }` { $one_rate } request per detik, `{ $other }` { $other_rate }, dan { $one_waited } serta { $other_waited } connect-nya menunggu. Dengan klien seperti ini yang
    menentukan bukan modelnya, melainkan berapa banyak connect yang menunggu.
serial-ahead =
    Di sini `{ $ahead }` unggul: { $ahead_rate } request per detik, sedangkan `{ $behind }` { $behind_rate }. { $ahead_waited } connect-nya menunggu, dan { $behind_waited } pada yang lain: dengan klien
    seperti ini bagian itulah yang menentukan, bukan modelnya. Satu putaran singkat belum cukup: putaran berikutnya bisa berbeda urutannya.
serial-nothing-waited = Tidak ada connect yang menunggu di putaran ini: mesin ini meng-accept lebih cepat daripada klien datang. Coba lagi saat mesin sibuk.
serial-2021 =
    2021, sel yang sama ({ $servers } server, konkurensi { $concurrency }), menurut angka ab: `{ $ahead }` { $ahead_rate } request per detik, `{ $behind }` { $behind_rate }. Di setiap putaran lambat
    tahun 2021 waktunya 10.000 kali rata-rata connect. Dihitung dari rata-rata itu (tidak ada yang mencacahnya): { $ahead_refused } connect `{ $ahead }` ditolak, dan { $behind_refused } connect
    `{ $behind }`. `lab 2021` menjalankan lagi semua selnya.

pool-question =
    Pool { $workers } thread, masing-masing menunggu koneksinya. { $workers } klien menahan koneksi tanpa mengirim apa-apa.
    Bagaimana nasib { $concurrency } klien yang sibuk?
pool-choices = sama baiknya: klien diam tidak memakan apa-apa | setengahnya | tidak dapat apa-apa sampai ada yang diam pergi
pool-title = Klien diam dan pool thread
pool-starves =
    Tanpa parking: { $before } request per detik tanpa klien diam, { $starved } dengan { $workers } klien diam. Masing-masing
    memegang satu dari { $workers } worker, dan worker yang menunggu klien diam tidak melayani siapa pun.
pool-parks =
    Dengan parking: { $parked } dengan { $workers } klien diam yang sama. Satu thread mengawasi semua koneksi diam dan
    mengembalikannya ke antrean begitu ada data. Itulah yang dilakukan loop ({ $looped }) untuk semuanya.

blocked-loop-question =
    Satu klien terus meminta response yang memakan 500 ms. Servernya satu loop, dan handler-nya tidur selama itu. Berapa
    lama request cepat yang paling lambat sementara itu?
blocked-loop-choices = beberapa milidetik: tidak ada hubungannya | sekitar satu setengah kali | sekitar 500 ms: ia menunggu di belakang yang lambat
blocked-loop-title = Satu response lambat di loop dan di pool
blocked-loop-lines = loop, handler tidur | loop kami, timer | pool 4, --no-park | pool 4, diparkir
blocked-loop-sleeps =
    Loop yang tidur: { $alone } untuk request cepat yang paling lambat saat sendirian, { $one } di samping satu klien lambat, { $four } di samping empat.
    Selama handler tidur, loop tidak melayani yang lain: semua menunggu yang satu.
blocked-loop-timer =
    Loop kami: { $alone }, lalu { $one } dan { $four }. Penundaan yang sama menjadi timer: loop mencatat kapan harus
    menjawab lalu melanjutkan. Loop secepat handler-nya yang paling lambat, maka tidak boleh ada handler yang memblokir.
blocked-loop-pool =
    Pool { $workers } tanpa parking: { $one } di samping satu klien lambat, karena masih ada tiga worker, dan { $four } di
    samping { $workers }. Pool tahan panggilan yang memblokir sampai jumlahnya menyamai worker-nya.

slow-reader-question =
    { $readers } klien meminta masing-masing { $mebibytes } MiB dan tidak membaca satu byte pun. Berapa memori load balancer
    untuk mereka?
slow-reader-choices = semua yang diminta: 4 GiB | beberapa MiB untuk semuanya | tidak ada: mereka diputus
slow-reader-title = Klien yang tidak membaca
slow-reader-columns = klien | threaded KiB tambahan | async KiB tambahan | kernel MiB threaded | kernel MiB async | diminta MiB
slow-reader-kernel = di kernel, async
slow-reader-asked = diminta
slow-reader-memory =
    { $readers } klien meminta { $asked } MiB. Load balancer threaded memakai { $threaded } KiB lagi dan yang async { $looped } KiB.
    Keduanya dibatasi: sampai { $pipes } stream panjang tinggal di pipe kernel, { $pipe } KiB masing-masing dan bukan memori load
    balancer; yang lain mempunyai buffer { $bulk } KiB ke arah kliennya dan { $ordinary } KiB ke arah server, paling banyak
    { $buffers } KiB semuanya; selebihnya koneksi itu sendiri dan stack thread yang sebelumnya menganggur.
slow-reader-back-pressure =
    Saat buffer ke klien penuh, load balancer tidak membaca dari server; buffer kernel penuh, TCP menyuruh server
    menunggu, dan ia menunggu. Itulah back pressure: setiap bagian menghentikan bagian sebelumnya. Buffer socket milik
    kernel bukan milik proses mana pun dan di sini memuat sampai { $kernel } MiB, untuk seluruh mesin: empat per klien, dari
    server ke load balancer dan dari sana ke klien.

kill-question =
    { $backends } server, { $concurrency } klien sekaligus. Setelah { $seconds } detik satu server dimatikan. Berapa request
    gagal?
kill-choices = sepertiga, sampai ia kembali | paling banyak yang sedang berjalan: hanya beberapa | semua, selama sekitar sedetik
kill-title = Server dimatikan dan dihidupkan lagi
kill-phase = babak
kill-phases = tiga hidup | satu mati | hidup lagi
kill-seconds = detik
kill-killed = dimatikan
kill-restarted = dihidupkan lagi
kill-answered = terjawab
kill-failed = gagal dalam 100 ms
kill-figures =
    Request gagal: { $failed } ({ $classes }). Waktu terpanjang tanpa response setelahnya { $gap } ms (langkah 100 ms). Lajunya
    { $before } per detik sebelumnya, { $without } tanpa yang mati, { $after } setelah ia kembali.
kill-cause =
    Koneksi yang ditolak server mati dicoba pada server berikutnya: belum ada yang terkirim, jadi tidak ada yang diminta dua
    kali. Yang sedang berjalan padanya hilang, dan memang harus: mengulang yang mungkin sudah dikerjakan berarti dua kali.
kill-back-at-work = Server yang dihidupkan lagi sudah mendapat request sebelum putaran berakhir.
kill-not-back-yet =
    Server yang dihidupkan lagi belum mendapat request di akhir putaran: setelah gagal beruntun ia dibiarkan sejenak.

one-byte-question =
    Request { $bytes } byte dalam tiga baris datang byte demi byte. Kapan server Python padanan kami (untuk server mata kuliah) menjawab?
one-byte-choices = setelah baris kosong, sesuai standar | setelah potongan pertama yang mengakhiri baris | tidak pernah
one-byte-title = Request yang datang byte demi byte
one-byte-columns = server | menjawab setelah byte | dengan
one-byte-sent = byte terkirim sebelum response
one-byte-answered = menjawab setelah
one-byte-whole = seluruh request
one-byte-server = server
one-byte-early =
    { $name } menjawab setelah { $bytes } dari { $whole } byte: setiap potongan dilihat begitu datang, dan yang ini berakhir
    dengan CR LF. Header-nya tidak pernah dibaca, dan yang menyusul dianggap request lain, atau hilang.
one-byte-ours =
    Server Rust kami menjawab setelah { $bytes }: head request berakhir pada baris kosong, bagaimanapun dipotong. Belum lengkap
    bukan kesalahan melainkan keadaan: byte disimpan dan parser ditanya lagi.

timeline-question =
    { $requests } request datang ke load balancer sekaligus. Untuk satu di antaranya server butuh { $slow } ms, untuk { $others } lainnya masing-masing { $quick } ms. Pertama lewat
    pool { $workers } worker yang masing-masing memegang requestnya sampai selesai (`--no-park`), lalu lewat pool yang sama dengan parking, lalu lewat satu loop. Kapan { $others } request
    cepat itu dijawab oleh yang pertama dan oleh yang terakhir?
timeline-choices = keduanya setelah sekitar { $quick } ms | loop setelah sekitar { $quick } ms, pool baru setelah beberapa giliran | keduanya setelah { $slow } ms: semua menunggu di belakang yang lambat
timeline-title = Sepuluh request, satu lambat, lewat kedua model
timeline-columns = load balancer | request | thread | dari ms | sampai ms | dipegang thread ms | tanpa thread ms
timeline-x = ms sejak request pertama diambil thread
timeline-slow = lambat
timeline-parked = diparkir
timeline-polled = di poller
timeline-legend = membaca | connect | menunggu server | menulis | tanpa thread
timeline-how =
    Gambarnya dibuat dari trace yang ditulis load balancer sendiri. Satu baris satu thread; celah di baris itu berarti thread-nya sedang tidak memegang request. Abu-abu: request
    yang sedang tidak dipegang thread mana pun, karena diparkir (atau baru kembali dari sana dan menunggu worker), atau ditunggu loop di poller bersama semua yang lain. Di situ tiap request punya
    garis sendiri. Request yang lambat diberi bingkai; yang kurang dari satu milidetik digambar lebih lebar dari aslinya.
timeline-kept =
    Terukur, `lb-threaded --no-park`: request lambat dipegang { $thread } selama { $on_thread } ms, { $waited } ms di antaranya worker itu hanya menunggu server. Paling banyak
    { $most } request berjalan bersamaan, sisanya antre: dari { $others } yang cepat, yang terakhir selesai setelah { $last } ms.
timeline-parks =
    Terukur, `lb-threaded`: request lambat dipegang worker selama { $on_thread } ms, dan { $parked } ms tidak dipegang worker mana pun. Paling banyak { $most } request berjalan
    bersamaan; request cepat yang terakhir selesai setelah { $last } ms. Selama masih ada worker yang bebas, worker menunggu sendiri sebentar; kalau sudah tidak ada, requestnya
    langsung diparkir.
timeline-loop =
    Terukur, `lb-async`: satu loop menjalankan sampai { $most } request bersamaan. Ia bekerja { $worked } ms untuk semuanya, dari total { $whole } ms; request cepat yang
    terakhir selesai setelah { $last } ms.
timeline-follows =
    Akibatnya: worker yang menunggu tidak bisa dipakai yang lain, jadi dengan { $workers } worker request kelima baru mulai setelah salah satu dari empat yang pertama selesai. Loop tidak
    menunggui satu request: ia mencatat apa yang ditunggu lalu lanjut ke request berikutnya yang bisa jalan, jadi menunggu cuma butuh satu catatan di daftar. Parking memberi
    thread daftar yang sama untuk yang sedang menunggu. Dari situ kelihatan juga apa yang tidak boleh dilakukan loop: ikut menunggu (lihat pelajaran blocked-loop).
timeline-files = Trace-nya ada di samping halaman ini, `lesson-timeline-….json`; bisa dibuka dengan Perfetto (`ui.perfetto.dev`).

# Percobaan 2021 dijalankan lagi (`lab 2021`)

overlapping-connects = connect tumpang-tindih
serial-connects = connect serial
concurrency = konkurensi
reenact-begin =
    { $runs } putaran, { $serial } di antaranya dengan connect serial: masing-masing membuat { $requests } request atau selesai setelah { $seconds } detik.
    Putaran tanpa connect yang menunggu butuh sekitar satu detik; semuanya paling lama { $minutes } menit.
reenact-run = { $balancer } di depan { $backends } { $servers }, konkurensi { $concurrency }, backlog { $backlog } dan { $server_backlog }, { $connects }
reenact-title = 2021 dijelaskan dan dijalankan lagi
reenact-about =
    Kenapa thread menang pada konkurensi 10 di tahun 2021, 155,60 lawan 14,38 request per detik? Halaman ini memakai angka ab sendiri dari ke-30
    putaran itu, lalu menjalankan program sejenis (padanan kami untuk Python mata kuliah, dengan backlog-nya: `listen(5)` di kedua load balancer dan
    di server web async, `listen(1)` di server web thread) dengan klien yang membuka koneksi seperti ab di Windows: satu connect
    setiap kali, dan menunggu di dalamnya. { $date }.
reenact-law-2021 =
    2021, terukur: di setiap { $cells } putaran lambat, jumlah detiknya sama dengan 10.000 kali rata-rata connect. Sisanya { $low } sampai { $high } detik
    (paling banyak 8 detik di 12 dari 14), padahal pembulatan ab saja sudah 5 detik ke atas atau ke bawah. Akibatnya: connect tidak berjalan bersamaan dengan apa
    pun, dan kecepatan server hampir tidak berperan.
reenact-cause =
    Sebabnya, dibaca di kode sumber: ab meminta socket nonblocking tetapi tidak mengubah timeout-nya (httpd, `support/ab.c`, `start_connect`), lalu APR di
    Windows menunggu di dalam connect (apr, `network_io/win32/sockets.c`, `apr_socket_connect`). Selama satu connect menunggu percobaan ulangnya,
    ab tidak membaca dan tidak mengirim apa pun untuk klien lain.
reenact-follows =
    Akibatnya: dengan { $servers } server pada konkurensi { $concurrency }, { $async_share } connect ke load balancer async ditolak ({ $async_mean } ms / { $step } detik), dan { $threaded_share } connect
    ke yang thread ({ $threaded_mean } ms / { $step } detik; 1,1 sampai 1,3 %, karena rata-rata ab dibulatkan). Thread menang karena connect-nya lebih jarang ditolak. Tidak ada yang
    mencacah penolakannya: bagian itu dihitung dari waktu connect.
reenact-no-evidence =
    Yang bukan bukti tambahan: bagian itu menghasilkan 1 / (bagian x { $step } detik) request per detik, jadi 1 / (rata-rata connect) lagi, { $async_rate } dan { $threaded_rate } (5,5 sampai
    6,5 ms menjadi 154 sampai 182), di samping { $async_published } dan { $threaded_published } di laporan. Itu perbandingan di baris pertama dengan satuan lain. Buktinya: waktu dan rata-rata
    connect dari ab cocok, dan percobaannya dijalankan lagi.
reenact-draw =
    Di sini tidak ada yang menang: dengan connect serial, { $servers } server, dan konkurensi { $concurrency }, load balancer thread menjawab { $threaded } request per detik dan yang async
    { $looped }; { $threaded_waited } dan { $looped_waited } connect-nya menunggu. Jadi putaran di sini mengulang runtuhnya, bukan keunggulan thread; sebab keunggulan itu masih terbuka (di akhir
    halaman ini).
reenact-collapse =
    Di sini, terukur: `{ $name }` di depan { $servers } server pada konkurensi { $concurrency } menjawab { $overlapping } request per detik dengan connect
    tumpang-tindih dan { $serial } dengan connect serial. Putaran itu butuh { $seconds } detik, connect-nya { $connects } detik; { $share } di antaranya menunggu.
reenact-law-here =
    Di sini, terukur: di { $runs } putaran serial dengan { $waits } connect atau lebih yang menunggu, connect memakan { $middle } waktunya (median; paling sedikit { $least }).
reenact-answered-only =
    Di putaran tersimpan ini connect dari request yang belum terjawab di akhir tidak dihitung.
reenact-step =
    Hukumnya sama, langkahnya tidak: Linux membuang SYN klien yang mendapati antrean penuh, dan klien mengirimnya lagi setelah 1 detik; Windows menolaknya,
    dan mencoba lagi setelah sekitar 0,5 detik.
reenact-law-title = 2021: setiap putaran lambat, dan connect-nya satu demi satu
reenact-law-columns = load balancer | server HTTP | konkurensi | detik | connect dtk | sisa dtk | ditolak
reenact-law-how =
    Connect adalah 10.000 kali rata-rata connect menurut ab. Bagian yang ditolak adalah rata-rata connect dibagi { $step } detik, yaitu lamanya connect
    yang ditolak sekali. Connect terlama di putaran ini 506 sampai 528 ms, jadi tidak ada yang ditolak dua kali. Di 16 putaran lainnya rata-rata
    connect 0 ms.
reenact-cells-title = 2021 dan di sini, sel demi sel
reenact-cells-columns = load balancer | server HTTP | konkurensi | request/dtk 2021 | ditolak 2021 | request/dtk serial | detik | connect dtk | menunggu | request/dtk tumpang-tindih
reenact-cells-how =
    Load balancer di depan server web dengan model yang sama. Serial: klien menunggu di dalam setiap connect; menunggu adalah bagian connect yang
    butuh satu detik. Tumpang-tindih: klien lab yang biasa, paling lama 4 detik. Bagian itu dari beberapa ratus connect: 15 % bisa saja 12 atau 18.
reenact-pairing = { $balancer }, server { $servers }
reenact-pairings-title = Connect yang menunggu, setiap load balancer di depan setiap jenis server web, konkurensi { $concurrency }
reenact-share-plot-title = Connect yang ditolak (2021) atau menunggu (di sini), konkurensi { $concurrency }
reenact-law-plot-title = 1000 request: waktunya dan waktu connect-nya, konkurensi { $concurrency }
reenact-law-plot-x = T threaded, A async, masing-masing di depan 1 sampai 5 server HTTP
reenact-time = waktu
reenact-connects = connect
reenact-here = di sini
reenact-varied = Satu hal setiap kali
reenact-varied-how =
    Connect serial, nilai mata kuliah kecuali satu yang diubah. Linux menampung satu koneksi lebih banyak daripada backlog-nya.
reenact-varied-columns = threaded request/dtk | threaded menunggu | async request/dtk | async menunggu
reenact-from-to = { $from } sampai { $to }
reenact-nearest = `{ $name }` dengan backlog { $backlog } ({ $share }, 2021: { $published })
reenact-server-backlog = backlog server web
reenact-backlog-title = Backlog load balancer, satu server, konkurensi 5
reenact-backlog-seen =
    Pada konkurensi 5 tidak pernah ada lebih dari lima koneksi: saat satu ditolak, paling banyak empat yang lain menunggu di antrean. Jadi antrean 2021
    sudah penuh dengan empat koneksi atau kurang, padahal `listen(5)` meminta lima tempat. Yang paling dekat dengan bagiannya: { $threaded } dan { $looped }.
    Patokannya: connect yang beruntun cepat memenuhi tempatnya, yang berikutnya menunggu, dan sementara itu antrean dikosongkan; jadi satu dari (tempat + 1)
    connect menunggu. Di 2021 setiap connect kedua: seperti antrean dengan satu tempat, padahal yang diminta kedua programnya lima.
reenact-backends-title = Jumlah server, backlog 1, konkurensi 10
reenact-backends-seen =
    Dari { $from } ke { $to } server, dengan antrean sekecil itu: threaded { $threaded }, async { $looped }. Di 2021 bagian itu turun dari 39,2 % ke 1,2 %
    dan dari 49,0 % ke 13,3 %.
reenact-server-backlog-title = Backlog server web, satu server, konkurensi 10
reenact-server-backlog-seen =
    Dari { $from } ke { $to } tempat di antrean server web: threaded { $threaded }, async { $looped }. Connect load balancer yang menunggu di sana bukan connect
    klien.
reenact-concurrency-title = Konkurensi, satu server
reenact-concurrency-seen =
    Konkurensi pertama yang connect-nya ada yang menunggu: threaded { $threaded }, async { $looped }. Enam tempat penuh saat klien ketujuh datang.
reenact-open = Yang masih terbuka
reenact-open-servers =
    Kenapa bagian itu turun dengan jumlah server di 2021: threaded 39,2 % sampai 1,2 %, async 49,0 % sampai 13,3 %. Dengan satu loop dan 1 sampai 5 server, satu
    dari 2,0, 3,1, 4,7, 6,1, dan 7,5 connect ditolak: menurut patokan tadi, seolah antreannya punya tempat kira-kira sebanyak servernya. Di sini, dengan backlog yang sama dan program
    sejenis, dari { $threaded } dengan thread dan dari { $looped } dengan satu loop.
reenact-open-servers-alone =
    Jadi backlog dan jumlah server itu sendiri bukan sebabnya. Jumlah inti mesin itu, Python-nya, dan Windows tidak diubah di sini.
reenact-open-five =
    Kenapa satu server cukup untuk menolak setiap connect kedua pada konkurensi 5. Akibatnya jelas: di sana kurang dari lima tempat yang kosong; sebabnya
    belum diketahui. Dugaan, belum diuji: Windows mengisi ulang tempat socket yang listen beberapa saat setelah ada koneksi yang di-accept, sehingga connect
    yang beruntun cepat mendapati lebih sedikit tempat daripada yang diminta.
reenact-open-pairing = Server web mana yang ada di belakang load balancer mana pada 2021 tidak tertulis. Kedua pasangan diukur di atas.
reenact-open-counterpart =
    Padanan thread kami (`lb_thread.py`, dan anak tangga 2 yang mengikutinya) memakai dua thread per koneksi; load balancer mata kuliah satu, yang baru connect ke servernya setelah request datang.
    `lab --python DIR --connects serial` mengukur checkout kode mata kuliah sendiri dengan cara yang sama.

# Dua grid berdampingan (`lab compare`)

compare-title = Dua grid berdampingan
compare-file = { $name } adalah { $file }, diukur { $date }.
compare-differs = Yang berbeda
compare-differs-columns = apa | A | B
compare-same = Di mesin dan pengaturannya tidak ada yang berbeda.
compare-other-settings = Keduanya bukan percobaan yang sama: pengaturannya berbeda, jadi angkanya tidak bisa dibandingkan.
compare-contender =
    `{ $name }`: B menjawab { $middle } kali lipat request per detik dibanding A ({ $low } sampai { $high }, { $count } sel); { $draws ->
        [0] tidak ada
       *[other] { $draws }
    } di antaranya yang selisihnya lebih kecil dari selisih antarputaran.
compare-only = { $only } sel hanya ada di { $name }.
compare-cells = Sel demi sel
compare-columns = load balancer | server HTTP | konkurensi | A request/dtk | B request/dtk | B/A | hasil | A p99 ms | B p99 ms | gagal
compare-draw = seri

# `--help`: kuncinya dibentuk dari nama perintah, opsi, dan nilai, lihat `help.rs`

usage = Pemakaian
commands = Perintah
command = PERINTAH
arguments = Argumen
options = Opsi
possible-values = pilihan
default = bawaan
examples = Contoh

help-command-lab = Mengulang percobaan mata kuliah di mesin ini, dan menjelaskan apa yang terlihat
help-command-lesson = Satu sebab setiap kali: tebak, jalankan, lihat
help-command-2021 = Percobaan mata kuliah dengan perilaku alat ukurnya, di samping angkanya: kenapa thread menang di 2021
help-command-compare = Dua grid tersimpan berdampingan: dua mesin, dua commit, dua semester
help-command-report = Membuat laporan lagi dari putaran tersimpan, tanpa mengukur
help-command-help = Menampilkan teks ini, atau teks satu perintah

help-help = Menampilkan teks ini: -h yang pendek, --help yang panjang
help-version = Menampilkan versinya
help-quick = Requestnya lebih sedikit dan putarannya lebih singkat; paling lama berapa menit, ditulis lebih dulu
help-lang = Bahasa tabel, kalimat, laporan, pesan kesalahan, dan teks ini
help-lang-en = bahasa Inggris
help-lang-id = bahasa Indonesia, bahasa mata kuliahnya
help-out = Folder laporan
help-no-guess = Pelajaran: langsung jalan, tanpa bertanya tebakan dulu
help-allow-debug = Tetap jalan walaupun ini build debug; laporannya menyebutkan bahwa angkanya tidak berarti

help-requests = Jumlah request per putaran [bawaan: 10000; 2000 dengan --quick]
help-concurrency = Berapa klien yang meminta sekaligus
help-backends = Berapa server HTTP di belakang load balancer
help-path = Path yang diminta
help-repeat = Jumlah putaran per sel
help-limit = Waktu terlama satu putaran [bawaan: 60s; 5s dengan --quick]
help-keep-alive = Banyak request lewat satu koneksi, bukan satu koneksi per request
help-connects = Apa yang dilakukan klien lab selama satu connect menunggu: lanjut dengan klien lain, atau ikut menunggu seperti ab di Windows
help-connects-overlapping = Lanjut dengan semua klien lain, berapa pun connect yang menunggu
help-connects-serial = Ikut menunggu, dan klien lain juga: seperti ab di Windows
help-peer = Load balancer lain di grid yang sama; boleh diulang
help-peer-python = Padanan kami untuk program mata kuliah
help-peer-ladder = Keempat anak tangga di examples/ (cargo build --examples)
help-peer-haproxy = HAProxy di depan server web kami
help-peer-nginx = nginx di depan server web kami
help-peer-apache = Apache httpd di depan server web kami
help-python = Folder program asli mata kuliah; salinannya jalan di port bebas, di grid yang sama
help-client = Siapa yang mengirim request
help-client-own = Klien lab sendiri, yang membandingkan setiap body response
help-client-ab = Apache Bench, seperti di mata kuliah
help-client-wrk = wrk, yang jalan selama waktu tertentu, bukan sebanyak jumlah request
help-resume = Melanjutkan grid yang dihentikan (bawaan kalau pengaturannya sama)
help-fresh = Mulai dari awal, tanpa putaran tersimpan
help-seed = Menentukan urutan putaran; tercetak di setiap laporan

help-lesson-name = Pelajaran yang mana
help-lesson-name-backlog = Kenapa backlog kecil tampak seperti server lambat
help-lesson-name-serial = Kenapa alat ukur yang menunggu di setiap connect mengukur dirinya sendiri
help-lesson-name-pool = Apa akibat klien diam bagi pool thread
help-lesson-name-blocked-loop = Apa akibat satu response lambat bagi loop, dan bagi pool
help-lesson-name-slow-reader = Berapa biaya klien yang tidak membaca
help-lesson-name-kill-backend = Server dimatikan dan dihidupkan lagi saat sedang dibebani
help-lesson-name-one-byte = Request yang datang byte demi byte
help-lesson-name-timeline = Sepuluh request, satu di antaranya lambat: siapa memegang yang mana, dan kapan
help-2021-from = Membuat halamannya lagi dari putaran tersimpan ini, tanpa mengukur
help-2021-markdown = Menulis halamannya sebagai Markdown juga, dengan grafiknya di folder bernama sama di sampingnya
help-compare-a = Yang pertama: results.json dari folder laporan
help-compare-b = Yang kedua
help-compare-markdown = Menulis perbandingannya sebagai Markdown juga
help-report-from = Putaran tersimpan [bawaan: results.json, atau runs.jsonl kalau grid-nya belum selesai, di folder laporan]
help-report-markdown = Menulis laporannya sebagai Markdown juga, dengan grafiknya di folder bernama sama di sampingnya

# Salah pakai

wrong-see-help = { $wrong }; lihat --help
wrong-no-value = { $flag }: nilainya belum ada
wrong-not-one-of = { $flag }: { $value } bukan salah satu dari { $choices }
wrong-value = { $flag }: { $value } bukan { $wanted }
wrong-unknown = { $word } tidak dikenal di sini
wrong-unknown-near = { $word } tidak dikenal di sini; maksudnya { $nearest }?
wrong-missing = belum ada: { $names }
wrong-twice = { $flag } ditulis dua kali
wrong-combined = { $flag } tidak bisa digabung dengan opsi yang lain
wrong-conflict = { $flag } dan { $other } tidak bisa bersama
wrong-takes-no-value = { $flag } tidak memakai nilai, tetapi diberi { $value }
wanted-number = bilangan bulat dari { $least } sampai { $most }
wanted-path = path yang diawali / dan tanpa spasi
wanted-time = waktu dengan satuannya, misalnya 500ms, 5s, atau 2m
wanted-other = nilai untuknya

# Kesalahan

error-debug-build = ini build debug, angkanya tidak akan berarti apa-apa: cargo run --release --bin lab
error-serial-client = --connects serial hanya untuk klien lab sendiri: hilangkan --client { $client }
error-no-client = { $client } belum terpasang: hilangkan --client, atau pasang dulu
error-runs = { $count } putaran tidak bisa dijalankan; yang pertama
error-nothing-saved = di { $folder } tidak ada putaran tersimpan: ukur dulu (lab --quick), atau sebutkan filenya dengan --from
error-no-file-name = yang diperlukan nama file, misalnya docs/lab-2026.md
error-no-runs = tidak berisi putaran
error-schema = skemanya { $schema }, sedangkan lab ini membaca { $known }
cause-not-found = file atau foldernya tidak ada
cause-not-allowed = tidak diizinkan
cause-in-use = alamatnya sedang dipakai
error-folder = folder sementara: { $error }
error-executable = program mana yang sedang jalan ini? { $error }
error-no-free-port = tidak ada port bebas: { $error }
error-start = { $program } tidak bisa dinyalakan: { $error }
error-ended = { $name } berakhir sebelum sempat { $what }
error-late = { $name } tidak { $what } dalam { $seconds } detik
error-to-respond = menjawab
error-to-listen = mencetak alamatnya
error-printed-nothing = tidak mencetak apa-apa
error-printed = yang dicetaknya
error-not-installed = { $program } belum terpasang (apt-get install { $package })
error-not-found = { $program } belum terpasang, atau foldernya tidak ada di PATH
error-lesson-linux = pelajaran { $name } memakai penghitung kernel Linux yang tidak ada di sistem ini: kerjakan di Linux, atau di WSL
error-apache-modules = modul Apache belum terpasang (apt-get install apache2)
error-nginx-stream = nginx-nya tanpa modul stream (apt-get install libnginx-mod-stream)
error-example = { $path } belum ada: buat dengan { $command }
error-ladder-backlog = backlog program di examples/ tertulis di kodenya
error-course-backlog = backlog program mata kuliah tertulis di kodenya
error-course-backends = mata kuliah punya paling banyak { $most } server, bukan { $backends }
error-course-needs = { $found }; yang diperlukan: { $needed }
error-first-to-last = { $first } sampai { $last }
error-not-opened = { $path } tidak bisa dibuka: { $error }
error-not-read = { $path } tidak bisa dibaca: { $error }
error-has-no = di { $folder } tidak ada { $names }
error-names-fewer = { $path } menyebut { $left } dari { $wanted } server
error-no-port = { $path } tidak menyebut port { $port }
error-no-asyncore = { $python } tidak punya asyncore, yang dihapus di Python 3.12: program async mata kuliah perlu Python 3.11 atau lebih lama, atau pyasyncore
error-no-reference = tidak ada response acuan dari { $url }: { $error }
error-bad-reference = { $url } tidak bisa jadi acuan: { $why }
error-large-reference = { $path } lebih besar dari { $most } byte yang dibandingkan lab
error-head-not-http = head-nya bukan HTTP
error-head-no-end = head-nya tidak berakhir
error-status = statusnya { $status }
error-body-cut = body-nya terpotong
error-no-poller = klien tidak mendapat poller: { $error }
error-tool-printed = lab tidak mengerti yang dicetak { $tool }
error-tool-stopped = { $name } dihentikan setelah { $seconds } detik

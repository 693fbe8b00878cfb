# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_flowtop_global_optspecs
    string join \n i/interface= f/filter= F/net= G/net6= 4/ipv4 6/ipv6 l/link-local p/promiscuous n/numeric N/numeric-ports names P/ports= u/unit= B/bytes o/sort= L/rows= by= show-owner pid= cgroup= mntns= labels= no-command-lines host-root= b/no-bars m/max-bandwidth= theme= ascii demo t/text s/seconds= interval= format= fields= show-others show-time write= no-header cost hooks= trigger= holders= max-flows= c/config= lenient print-config h/help V/version
end

function __fish_flowtop_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_flowtop_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_flowtop_using_subcommand
    set -l cmd (__fish_flowtop_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c flowtop -n "__fish_flowtop_needs_command" -s i -l interface -d 'Count only connections over interface IF, or "any" for all' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s f -l filter -d 'Count only traffic that matches the filter EXPR, such as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s F -l net -d 'Count only IPv4 traffic entering or leaving NET, such as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s G -l net6 -d 'Count only IPv6 traffic entering or leaving NET' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s P -l ports -d 'Show ports' -r -f -a "off\t'No ports: one row for each pair of hosts'
source-only\t'Ports of the left hosts'
destination-only\t'Ports of the right hosts'
on\t'Both ports: one row for each connection'"
complete -c flowtop -n "__fish_flowtop_needs_command" -s u -l unit -d 'Unit of rates' -r -f -a "bits\t'Bits, K = 1024'
bytes\t'Bytes, K = 1024'
packets\t'TCP segments, K = 1000'
wire\t'Bytes on the wire: payload, repeats and headers, also in all amounts'"
complete -c flowtop -n "__fish_flowtop_needs_command" -s o -l sort -d 'Sort order of rows' -r -f -a "2s\t'Rate over the last 2 seconds'
10s\t'Rate over the last 10 seconds'
40s\t'Rate over the last 40 seconds'
cumulative\t'Bytes since the start'
tx\t'Bytes sent since the start'
rx\t'Bytes received since the start'
source\t'Left host, as shown'
destination\t'Right host, as shown'"
complete -c flowtop -n "__fish_flowtop_needs_command" -s L -l rows -d 'Print at most N rows, 0 for all [default: 10 for text, otherwise all]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l by -d 'Sum connections by one or more keys, such as pod or pod,peer' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l pid -d 'Count only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l cgroup -d 'Count only connections of processes in cgroup PATH or below it' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l mntns -d 'Count only connections of processes in the mount namespace with inode number INODE' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l labels -d 'Read labels of networks from FILE, with lines like "10.0.0.0/8 vpc"' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l host-root -d 'Directory where the root file system of the host is mounted [default: /]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s m -l max-bandwidth -d 'Full scale of the bars in bit/s, such as 10M [default: auto]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l theme -d 'Colour theme' -r -f -a "auto\t'Chosen by NO_COLOR, COLORTERM, TERM and COLORFGBG'
dark\t'256 colours on a dark background'
light\t'256 colours on a light background'
ansi\t'The 16 colours of the terminal'
mono\t'No colours'"
complete -c flowtop -n "__fish_flowtop_needs_command" -s s -l seconds -d 'Print one report after TIME, such as 60 or 5m, and exit' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l interval -d 'Time between reports without -s, such as 2 or 500ms' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l format -d 'Format of the reports' -r -f -a "text\t'Text in the layout of iftop\'s text mode'
json\t'One JSON object for each report'
csv\t'One row for each connection, with a header'"
complete -c flowtop -n "__fish_flowtop_needs_command" -l fields -d 'Fields of CSV rows and JSON flows, in this order [default: all]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l write -d 'Write the latest report to FILE instead of stdout' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l hooks -d 'Kernel hooks that trigger reading a connection\'s counters' -r -f -a "auto\t'First of the following that loads, attaches and counts'
fentry\t'BPF trampolines'
kprobe\t'Kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_needs_command" -l trigger -d 'What brings the counters of connections up to date: hooks of each send and receive, or passes over all sockets' -r -f -a "auto\t'What costs less, second by second'
events\t'Hooks of what applications send and receive'
sweep\t'One pass over all sockets before each refresh'
alternate\t'The other one every 50 ms, to test that both count alike'"
complete -c flowtop -n "__fish_flowtop_needs_command" -l holders -d 'How to find the process of a socket that has not been used since flowtop started' -r -f -a "auto\t'BPF iterator over all open files (Linux 5.11), otherwise proc'
proc\t'Links in /proc/PID/fd, which is slower'"
complete -c flowtop -n "__fish_flowtop_needs_command" -l max-flows -d 'Track at most N connections individually' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_needs_command" -s 4 -l ipv4 -d 'Count only IPv4 traffic'
complete -c flowtop -n "__fish_flowtop_needs_command" -s 6 -l ipv6 -d 'Count only IPv6 traffic'
complete -c flowtop -n "__fish_flowtop_needs_command" -s l -l link-local -d 'Also count IPv6 link-local connections'
complete -c flowtop -n "__fish_flowtop_needs_command" -s p -l promiscuous -d 'Do nothing; accepted for compatibility with iftop'
complete -c flowtop -n "__fish_flowtop_needs_command" -s n -l numeric -d 'Show addresses instead of host names'
complete -c flowtop -n "__fish_flowtop_needs_command" -s N -l numeric-ports -d 'Show port numbers instead of service names'
complete -c flowtop -n "__fish_flowtop_needs_command" -l names -d 'Show host and service names in text reports too'
complete -c flowtop -n "__fish_flowtop_needs_command" -s B -l bytes -d 'Show rates in bytes, same as -u bytes'
complete -c flowtop -n "__fish_flowtop_needs_command" -l show-owner -d 'Show owners to the right of each row in text reports'
complete -c flowtop -n "__fish_flowtop_needs_command" -l no-command-lines -d 'Do not show, export or record command lines'
complete -c flowtop -n "__fish_flowtop_needs_command" -s b -l no-bars -d 'Hide the bars'
complete -c flowtop -n "__fish_flowtop_needs_command" -l ascii -d 'Draw with ASCII only, without line and block characters'
complete -c flowtop -n "__fish_flowtop_needs_command" -l demo -d 'Show generated traffic, for a first look without privileges'
complete -c flowtop -n "__fish_flowtop_needs_command" -s t -l text -d 'Print reports to stdout instead of showing the interactive view'
complete -c flowtop -n "__fish_flowtop_needs_command" -l show-others -d 'Add a row for everything that is in no row of a text report'
complete -c flowtop -n "__fish_flowtop_needs_command" -l show-time -d 'Print the period, the time zone and the host before each text report'
complete -c flowtop -n "__fish_flowtop_needs_command" -l no-header -d 'Omit the CSV header'
complete -c flowtop -n "__fish_flowtop_needs_command" -l cost -d 'Add flowtop\'s own resource usage to JSON reports'
complete -c flowtop -n "__fish_flowtop_needs_command" -l lenient -d 'Warn about invalid values that iftop only warns about, instead of exiting'
complete -c flowtop -n "__fish_flowtop_needs_command" -l print-config -d 'Print every setting with its origin and exit'
complete -c flowtop -n "__fish_flowtop_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_needs_command" -s V -l version -d 'Print version'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "top" -d 'Print the traffic of each connection and its process every second, like tcptop'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "report" -d 'Summarise the traffic of a period from the recordings of one or more hosts'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "replay" -d 'Show recordings in the interactive view, or with -t as reports'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "record" -d 'Record the traffic of each connection to a directory, one record a minute'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "watch" -d 'Wait until a rate stays above a threshold, then record, run a command or print a report'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "doctor" -d 'Check which hooks work on this kernel and which privileges are missing'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "man" -d 'Print a man page'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "completions" -d 'Print shell completions'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s i -l interface -d 'Count only connections over interface IF, or "any" for all' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s f -l filter -d 'Count only traffic that matches the filter EXPR, such as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s F -l net -d 'Count only IPv4 traffic entering or leaving NET, such as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s G -l net6 -d 'Count only IPv6 traffic entering or leaving NET' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s P -l ports -d 'Show ports' -r -f -a "off\t'No ports: one row for each pair of hosts'
source-only\t'Ports of the left hosts'
destination-only\t'Ports of the right hosts'
on\t'Both ports: one row for each connection'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s u -l unit -d 'Unit of rates' -r -f -a "bits\t'Bits, K = 1024'
bytes\t'Bytes, K = 1024'
packets\t'TCP segments, K = 1000'
wire\t'Bytes on the wire: payload, repeats and headers, also in all amounts'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s o -l sort -d 'Sort order of rows' -r -f -a "2s\t'Rate over the last 2 seconds'
10s\t'Rate over the last 10 seconds'
40s\t'Rate over the last 40 seconds'
cumulative\t'Bytes since the start'
tx\t'Bytes sent since the start'
rx\t'Bytes received since the start'
source\t'Left host, as shown'
destination\t'Right host, as shown'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s L -l rows -d 'Print at most N rows, 0 for all [default: 10 for text, otherwise all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l by -d 'Sum connections by one or more keys, such as pod or pod,peer' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l pid -d 'Count only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l cgroup -d 'Count only connections of processes in cgroup PATH or below it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l mntns -d 'Count only connections of processes in the mount namespace with inode number INODE' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l labels -d 'Read labels of networks from FILE, with lines like "10.0.0.0/8 vpc"' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l host-root -d 'Directory where the root file system of the host is mounted [default: /]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s m -l max-bandwidth -d 'Full scale of the bars in bit/s, such as 10M [default: auto]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l theme -d 'Colour theme' -r -f -a "auto\t'Chosen by NO_COLOR, COLORTERM, TERM and COLORFGBG'
dark\t'256 colours on a dark background'
light\t'256 colours on a light background'
ansi\t'The 16 colours of the terminal'
mono\t'No colours'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s s -l seconds -d 'Print one report after TIME, such as 60 or 5m, and exit' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l interval -d 'Time between reports without -s, such as 2 or 500ms' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l format -d 'Format of the reports' -r -f -a "text\t'Text in the layout of iftop\'s text mode'
json\t'One JSON object for each report'
csv\t'One row for each connection, with a header'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l fields -d 'Fields of CSV rows and JSON flows, in this order [default: all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l write -d 'Write the latest report to FILE instead of stdout' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l hooks -d 'Kernel hooks that trigger reading a connection\'s counters' -r -f -a "auto\t'First of the following that loads, attaches and counts'
fentry\t'BPF trampolines'
kprobe\t'Kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l trigger -d 'What brings the counters of connections up to date: hooks of each send and receive, or passes over all sockets' -r -f -a "auto\t'What costs less, second by second'
events\t'Hooks of what applications send and receive'
sweep\t'One pass over all sockets before each refresh'
alternate\t'The other one every 50 ms, to test that both count alike'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l holders -d 'How to find the process of a socket that has not been used since flowtop started' -r -f -a "auto\t'BPF iterator over all open files (Linux 5.11), otherwise proc'
proc\t'Links in /proc/PID/fd, which is slower'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l max-flows -d 'Track at most N connections individually' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s C -l noclear -d 'Do not clear the screen before each report'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s S -l nosummary -d 'Omit the line with time and load average'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s v -l verbose -d 'Do nothing; accepted for compatibility with tcptop'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s 4 -l ipv4 -d 'Count only IPv4 traffic'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s 6 -l ipv6 -d 'Count only IPv6 traffic'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s l -l link-local -d 'Also count IPv6 link-local connections'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s p -l promiscuous -d 'Do nothing; accepted for compatibility with iftop'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s n -l numeric -d 'Show addresses instead of host names'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s N -l numeric-ports -d 'Show port numbers instead of service names'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l names -d 'Show host and service names in text reports too'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s B -l bytes -d 'Show rates in bytes, same as -u bytes'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l show-owner -d 'Show owners to the right of each row in text reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l no-command-lines -d 'Do not show, export or record command lines'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s b -l no-bars -d 'Hide the bars'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l ascii -d 'Draw with ASCII only, without line and block characters'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l demo -d 'Show generated traffic, for a first look without privileges'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s t -l text -d 'Print reports to stdout instead of showing the interactive view'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l show-others -d 'Add a row for everything that is in no row of a text report'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l show-time -d 'Print the period, the time zone and the host before each text report'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l no-header -d 'Omit the CSV header'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l cost -d 'Add flowtop\'s own resource usage to JSON reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l lenient -d 'Warn about invalid values that iftop only warns about, instead of exiting'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l print-config -d 'Print every setting with its origin and exit'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l from -d 'Start of the period [default: start of the first record]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l to -d 'End of the period [default: now, or without --from the end of the last record]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l timezone -d 'Time zone of all times, such as Europe/Berlin [default: TZ, or the zone of this system]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l diff -d 'Compare with another period, such as \'yesterday 08:00..09:00\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l by -d 'Sum connections by one or more keys, such as pod,peer' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l limit -d 'Capacity of a link in one direction, such as 5Gbit, to report how long 80 % of it was exceeded' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -s f -l filter -d 'Count only traffic that matches the filter EXPR' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -s L -l rows -d 'Print at most N rows, 0 for all [default: 10 for text, otherwise all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l format -d 'Format of the report' -r -f -a "text\t''
json\t''
csv\t''"
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -s B -l bytes -d 'Show rates in bytes instead of bits in text'
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l no-header -d 'Omit the CSV header'
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l at -d 'Start at the record of TIME; with -t, print only that record' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s i -l interface -d 'Count only connections over interface IF, or "any" for all' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s f -l filter -d 'Count only traffic that matches the filter EXPR, such as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s F -l net -d 'Count only IPv4 traffic entering or leaving NET, such as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s G -l net6 -d 'Count only IPv6 traffic entering or leaving NET' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s P -l ports -d 'Show ports' -r -f -a "off\t'No ports: one row for each pair of hosts'
source-only\t'Ports of the left hosts'
destination-only\t'Ports of the right hosts'
on\t'Both ports: one row for each connection'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s u -l unit -d 'Unit of rates' -r -f -a "bits\t'Bits, K = 1024'
bytes\t'Bytes, K = 1024'
packets\t'TCP segments, K = 1000'
wire\t'Bytes on the wire: payload, repeats and headers, also in all amounts'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s o -l sort -d 'Sort order of rows' -r -f -a "2s\t'Rate over the last 2 seconds'
10s\t'Rate over the last 10 seconds'
40s\t'Rate over the last 40 seconds'
cumulative\t'Bytes since the start'
tx\t'Bytes sent since the start'
rx\t'Bytes received since the start'
source\t'Left host, as shown'
destination\t'Right host, as shown'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s L -l rows -d 'Print at most N rows, 0 for all [default: 10 for text, otherwise all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l by -d 'Sum connections by one or more keys, such as pod or pod,peer' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l pid -d 'Count only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l cgroup -d 'Count only connections of processes in cgroup PATH or below it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l mntns -d 'Count only connections of processes in the mount namespace with inode number INODE' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l labels -d 'Read labels of networks from FILE, with lines like "10.0.0.0/8 vpc"' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l host-root -d 'Directory where the root file system of the host is mounted [default: /]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s m -l max-bandwidth -d 'Full scale of the bars in bit/s, such as 10M [default: auto]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l theme -d 'Colour theme' -r -f -a "auto\t'Chosen by NO_COLOR, COLORTERM, TERM and COLORFGBG'
dark\t'256 colours on a dark background'
light\t'256 colours on a light background'
ansi\t'The 16 colours of the terminal'
mono\t'No colours'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s s -l seconds -d 'Print one report after TIME, such as 60 or 5m, and exit' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l interval -d 'Time between reports without -s, such as 2 or 500ms' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l format -d 'Format of the reports' -r -f -a "text\t'Text in the layout of iftop\'s text mode'
json\t'One JSON object for each report'
csv\t'One row for each connection, with a header'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l fields -d 'Fields of CSV rows and JSON flows, in this order [default: all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l write -d 'Write the latest report to FILE instead of stdout' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l hooks -d 'Kernel hooks that trigger reading a connection\'s counters' -r -f -a "auto\t'First of the following that loads, attaches and counts'
fentry\t'BPF trampolines'
kprobe\t'Kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l trigger -d 'What brings the counters of connections up to date: hooks of each send and receive, or passes over all sockets' -r -f -a "auto\t'What costs less, second by second'
events\t'Hooks of what applications send and receive'
sweep\t'One pass over all sockets before each refresh'
alternate\t'The other one every 50 ms, to test that both count alike'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l holders -d 'How to find the process of a socket that has not been used since flowtop started' -r -f -a "auto\t'BPF iterator over all open files (Linux 5.11), otherwise proc'
proc\t'Links in /proc/PID/fd, which is slower'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l max-flows -d 'Track at most N connections individually' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s 4 -l ipv4 -d 'Count only IPv4 traffic'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s 6 -l ipv6 -d 'Count only IPv6 traffic'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s l -l link-local -d 'Also count IPv6 link-local connections'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s p -l promiscuous -d 'Do nothing; accepted for compatibility with iftop'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s n -l numeric -d 'Show addresses instead of host names'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s N -l numeric-ports -d 'Show port numbers instead of service names'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l names -d 'Show host and service names in text reports too'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s B -l bytes -d 'Show rates in bytes, same as -u bytes'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l show-owner -d 'Show owners to the right of each row in text reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l no-command-lines -d 'Do not show, export or record command lines'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s b -l no-bars -d 'Hide the bars'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l ascii -d 'Draw with ASCII only, without line and block characters'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l demo -d 'Show generated traffic, for a first look without privileges'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s t -l text -d 'Print reports to stdout instead of showing the interactive view'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l show-others -d 'Add a row for everything that is in no row of a text report'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l show-time -d 'Print the period, the time zone and the host before each text report'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l no-header -d 'Omit the CSV header'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l cost -d 'Add flowtop\'s own resource usage to JSON reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l lenient -d 'Warn about invalid values that iftop only warns about, instead of exiting'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l print-config -d 'Print every setting with its origin and exit'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s o -l output -d 'Directory to write to [default: /var/lib/flowtop for root]' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l every -d 'Time between the ends of two records, such as 60s or 5m [default: 60s]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l for -d 'Time that each record covers, at most that of --every [default: all of it]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l count -d 'Exit after N records [default: run until interrupted]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l top -d 'Record only the N connections with most bytes and the N with most retransmits individually' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l over -d 'Record only connections with at least BYTES in a record individually, such as 10M; adds to --top' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l keep-days -d 'Remove files older than DAYS' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l max-size -d 'Maximum size of all files, 0 for no limit; the oldest files are removed to stay below it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l min-free -d 'Space to keep free in the file system; the oldest files are removed to keep it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s i -l interface -d 'Count only connections over interface IF, or "any" for all' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s f -l filter -d 'Count only traffic that matches the filter EXPR, such as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s F -l net -d 'Count only IPv4 traffic entering or leaving NET, such as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s G -l net6 -d 'Count only IPv6 traffic entering or leaving NET' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l pid -d 'Count only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l cgroup -d 'Count only connections of processes in cgroup PATH or below it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l mntns -d 'Count only connections of processes in the mount namespace with inode number INODE' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l labels -d 'Read labels of networks from FILE, with lines like "10.0.0.0/8 vpc"' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l host-root -d 'Directory where the root file system of the host is mounted [default: /]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l hooks -d 'Kernel hooks that trigger reading a connection\'s counters' -r -f -a "auto\t'First of the following that loads, attaches and counts'
fentry\t'BPF trampolines'
kprobe\t'Kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l trigger -d 'What brings the counters of connections up to date: hooks of each send and receive, or passes over all sockets' -r -f -a "auto\t'What costs less, second by second'
events\t'Hooks of what applications send and receive'
sweep\t'One pass over all sockets before each refresh'
alternate\t'The other one every 50 ms, to test that both count alike'"
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l holders -d 'How to find the process of a socket that has not been used since flowtop started' -r -f -a "auto\t'BPF iterator over all open files (Linux 5.11), otherwise proc'
proc\t'Links in /proc/PID/fd, which is slower'"
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l max-flows -d 'Track at most N connections individually' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s q -l quiet -d 'Print only warnings and errors to stderr'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l demo -d 'Record generated traffic, which needs no privileges'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s 4 -l ipv4 -d 'Count only IPv4 traffic'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s 6 -l ipv6 -d 'Count only IPv6 traffic'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s l -l link-local -d 'Also count IPv6 link-local connections'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s p -l promiscuous -d 'Do nothing; accepted for compatibility with iftop'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l no-command-lines -d 'Do not show, export or record command lines'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l lenient -d 'Warn about invalid values that iftop only warns about, instead of exiting'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l print-config -d 'Print every setting with its origin and exit'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l when -d 'Condition to wait for, such as \'tx > 4G for 10s and port 443\'; can be repeated' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l then -d 'Action to perform when a condition is met: record TIME, exec CMD or print; can be repeated' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l before -d 'Time before a condition is met that record includes' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l hold-off -d 'Time until a condition can trigger again [default: 1m, or the time that is recorded]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l count -d 'Exit after conditions have been met N times [default: run until interrupted]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l output -d 'Directory for recordings [default: watch in the directory of flowtop record]' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l keep-days -d 'Remove files older than DAYS' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l max-size -d 'Maximum size of all files, 0 for no limit; the oldest files are removed to stay below it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l min-free -d 'Space to keep free in the file system; the oldest files are removed to keep it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s i -l interface -d 'Count only connections over interface IF, or "any" for all' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s f -l filter -d 'Count only traffic that matches the filter EXPR, such as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s F -l net -d 'Count only IPv4 traffic entering or leaving NET, such as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s G -l net6 -d 'Count only IPv6 traffic entering or leaving NET' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s P -l ports -d 'Show ports' -r -f -a "off\t'No ports: one row for each pair of hosts'
source-only\t'Ports of the left hosts'
destination-only\t'Ports of the right hosts'
on\t'Both ports: one row for each connection'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s u -l unit -d 'Unit of rates' -r -f -a "bits\t'Bits, K = 1024'
bytes\t'Bytes, K = 1024'
packets\t'TCP segments, K = 1000'
wire\t'Bytes on the wire: payload, repeats and headers, also in all amounts'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s o -l sort -d 'Sort order of rows' -r -f -a "2s\t'Rate over the last 2 seconds'
10s\t'Rate over the last 10 seconds'
40s\t'Rate over the last 40 seconds'
cumulative\t'Bytes since the start'
tx\t'Bytes sent since the start'
rx\t'Bytes received since the start'
source\t'Left host, as shown'
destination\t'Right host, as shown'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s L -l rows -d 'Print at most N rows, 0 for all [default: 10 for text, otherwise all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l by -d 'Sum connections by one or more keys, such as pod or pod,peer' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l pid -d 'Count only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l cgroup -d 'Count only connections of processes in cgroup PATH or below it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l mntns -d 'Count only connections of processes in the mount namespace with inode number INODE' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l labels -d 'Read labels of networks from FILE, with lines like "10.0.0.0/8 vpc"' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l host-root -d 'Directory where the root file system of the host is mounted [default: /]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s m -l max-bandwidth -d 'Full scale of the bars in bit/s, such as 10M [default: auto]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l theme -d 'Colour theme' -r -f -a "auto\t'Chosen by NO_COLOR, COLORTERM, TERM and COLORFGBG'
dark\t'256 colours on a dark background'
light\t'256 colours on a light background'
ansi\t'The 16 colours of the terminal'
mono\t'No colours'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s s -l seconds -d 'Print one report after TIME, such as 60 or 5m, and exit' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l interval -d 'Time between reports without -s, such as 2 or 500ms' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l format -d 'Format of the reports' -r -f -a "text\t'Text in the layout of iftop\'s text mode'
json\t'One JSON object for each report'
csv\t'One row for each connection, with a header'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l fields -d 'Fields of CSV rows and JSON flows, in this order [default: all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l write -d 'Write the latest report to FILE instead of stdout' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l hooks -d 'Kernel hooks that trigger reading a connection\'s counters' -r -f -a "auto\t'First of the following that loads, attaches and counts'
fentry\t'BPF trampolines'
kprobe\t'Kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l trigger -d 'What brings the counters of connections up to date: hooks of each send and receive, or passes over all sockets' -r -f -a "auto\t'What costs less, second by second'
events\t'Hooks of what applications send and receive'
sweep\t'One pass over all sockets before each refresh'
alternate\t'The other one every 50 ms, to test that both count alike'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l holders -d 'How to find the process of a socket that has not been used since flowtop started' -r -f -a "auto\t'BPF iterator over all open files (Linux 5.11), otherwise proc'
proc\t'Links in /proc/PID/fd, which is slower'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l max-flows -d 'Track at most N connections individually' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s 4 -l ipv4 -d 'Count only IPv4 traffic'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s 6 -l ipv6 -d 'Count only IPv6 traffic'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s l -l link-local -d 'Also count IPv6 link-local connections'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s p -l promiscuous -d 'Do nothing; accepted for compatibility with iftop'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s n -l numeric -d 'Show addresses instead of host names'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s N -l numeric-ports -d 'Show port numbers instead of service names'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l names -d 'Show host and service names in text reports too'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s B -l bytes -d 'Show rates in bytes, same as -u bytes'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l show-owner -d 'Show owners to the right of each row in text reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l no-command-lines -d 'Do not show, export or record command lines'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s b -l no-bars -d 'Hide the bars'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l ascii -d 'Draw with ASCII only, without line and block characters'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l demo -d 'Show generated traffic, for a first look without privileges'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s t -l text -d 'Print reports to stdout instead of showing the interactive view'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l show-others -d 'Add a row for everything that is in no row of a text report'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l show-time -d 'Print the period, the time zone and the host before each text report'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l no-header -d 'Omit the CSV header'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l cost -d 'Add flowtop\'s own resource usage to JSON reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l lenient -d 'Warn about invalid values that iftop only warns about, instead of exiting'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l print-config -d 'Print every setting with its origin and exit'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand doctor" -l max-flows -d 'Track at most N connections individually' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand doctor" -l json -d 'Print one JSON object instead of text'
complete -c flowtop -n "__fish_flowtop_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand man" -s h -l help -d 'Print help'
complete -c flowtop -n "__fish_flowtop_using_subcommand completions" -s h -l help -d 'Print help'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "top" -d 'Print the traffic of each connection and its process every second, like tcptop'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "report" -d 'Summarise the traffic of a period from the recordings of one or more hosts'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "replay" -d 'Show recordings in the interactive view, or with -t as reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "record" -d 'Record the traffic of each connection to a directory, one record a minute'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "watch" -d 'Wait until a rate stays above a threshold, then record, run a command or print a report'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "doctor" -d 'Check which hooks work on this kernel and which privileges are missing'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "man" -d 'Print a man page'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "completions" -d 'Print shell completions'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

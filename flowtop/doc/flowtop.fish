# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_flowtop_global_optspecs
    string join \n i/interface= f/filter= F/net= G/net6= 4/ipv4 6/ipv6 l/link-local p/promiscuous n/numeric N/numeric-ports names P/ports= u/unit= B/bytes o/sort= L/rows= by= show-owner pid= cgroup= mntns= labels= no-command-lines host-root= b/no-bars m/max-bandwidth= theme= ascii demo t/text s/seconds= interval= format= fields= no-header cost hooks= holders= max-flows= c/config= lenient print-config h/help V/version
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

complete -c flowtop -n "__fish_flowtop_needs_command" -s i -l interface -d 'Only sockets with an address of interface IF; any is all' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s f -l filter -d 'Only what the filter expression lets pass, as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s F -l net -d 'Only IPv4 traffic across the border of NET, as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s G -l net6 -d 'Only IPv6 traffic across the border of NET' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s P -l ports -d 'Show ports' -r -f -a "off\t'None: the connections of two hosts are one row'
source-only\t'Those of the left hosts'
destination-only\t'Those of the right hosts'
on\t'Both: each connection is a row'"
complete -c flowtop -n "__fish_flowtop_needs_command" -s u -l unit -d 'Rates in' -r -f -a "bits\t'Bits, K = 1024'
bytes\t'Bytes, K = 1024'
packets\t'TCP segments, K = 1000'"
complete -c flowtop -n "__fish_flowtop_needs_command" -s o -l sort -d 'Sort by' -r -f -a "2s\t'Rate over the last 2 seconds'
10s\t'Rate over the last 10 seconds'
40s\t'Rate over the last 40 seconds'
source\t'Left host, as it is shown'
destination\t'Right host, as it is shown'"
complete -c flowtop -n "__fish_flowtop_needs_command" -s L -l rows -d 'Most rows to list, 0 for all [default: 10 in text, else all]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l by -d 'Sum up by what connections have in common, as pod or pod,peer' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l pid -d 'Only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l cgroup -d 'Only connections of the processes in a cgroup' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l mntns -d 'Only connections of the processes in a mount namespace, by its inode number' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l labels -d 'Labels for networks: a file with lines like 10.0.0.0/8 vpc' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l host-root -d 'Where the file system of the host is [default: /]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s m -l max-bandwidth -d 'Full scale of the bars in bit/s, as 10M; M = 1024 K [default: auto]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l theme -d 'Colours' -r -f -a "auto\t'What NO_COLOR, COLORTERM, TERM and COLORFGBG say of the terminal'
dark\t'256 colours on a dark background'
light\t'256 colours on a light background'
ansi\t'The 16 colours of the terminal'
mono\t'No colours'"
complete -c flowtop -n "__fish_flowtop_needs_command" -s s -l seconds -d 'One report after TIME, as 60 or 5m, then end; 0 for reports without end' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l interval -d 'Time between reports without end, as 2 or 500ms' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l format -d 'Form of the reports' -r -f -a "text\t'The layout of iftop\'s text mode'
json\t'One JSON object a report'
csv\t'One line a connection, with a line of names first'"
complete -c flowtop -n "__fish_flowtop_needs_command" -l fields -d 'Fields of CSV lines and JSON flows, in order [default: all]' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -l hooks -d 'Hooks' -r -f -a "auto\t'The first of the following that loads, attaches and counts'
fentry\t'Trampolines'
kprobe\t'kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_needs_command" -l holders -d 'How to find out who has a socket open that nobody has used yet' -r -f -a "auto\t'A walk of the kernel over all open files (Linux 5.11), or else proc'
proc\t'The links in /proc/PID/fd, which takes longer'"
complete -c flowtop -n "__fish_flowtop_needs_command" -l max-flows -d 'Connections counted one by one' -r
complete -c flowtop -n "__fish_flowtop_needs_command" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_needs_command" -s 4 -l ipv4 -d 'Only IPv4'
complete -c flowtop -n "__fish_flowtop_needs_command" -s 6 -l ipv6 -d 'Only IPv6'
complete -c flowtop -n "__fish_flowtop_needs_command" -s l -l link-local -d 'IPv6 link-local connections as well'
complete -c flowtop -n "__fish_flowtop_needs_command" -s p -l promiscuous -d 'Accepted for iftop\'s sake'
complete -c flowtop -n "__fish_flowtop_needs_command" -s n -l numeric -d 'Hosts by address, not by name'
complete -c flowtop -n "__fish_flowtop_needs_command" -s N -l numeric-ports -d 'Ports by number, not by service'
complete -c flowtop -n "__fish_flowtop_needs_command" -l names -d 'Names of hosts and services in text mode too'
complete -c flowtop -n "__fish_flowtop_needs_command" -s B -l bytes -d 'Rates in bytes, as -u bytes'
complete -c flowtop -n "__fish_flowtop_needs_command" -l show-owner -d 'Owners to the right of the rows of a text report'
complete -c flowtop -n "__fish_flowtop_needs_command" -l no-command-lines -d 'Processes without their command lines'
complete -c flowtop -n "__fish_flowtop_needs_command" -s b -l no-bars -d 'No bars'
complete -c flowtop -n "__fish_flowtop_needs_command" -l ascii -d 'ASCII alone, without lines and blocks'
complete -c flowtop -n "__fish_flowtop_needs_command" -l demo -d 'Made-up traffic, for a first look without any rights'
complete -c flowtop -n "__fish_flowtop_needs_command" -s t -l text -d 'Reports on stdout, without a screen'
complete -c flowtop -n "__fish_flowtop_needs_command" -l no-header -d 'CSV without its line of names'
complete -c flowtop -n "__fish_flowtop_needs_command" -l cost -d 'Add what flowtop itself costs to JSON reports'
complete -c flowtop -n "__fish_flowtop_needs_command" -l lenient -d 'Warn where iftop warns and goes on, instead of ending'
complete -c flowtop -n "__fish_flowtop_needs_command" -l print-config -d 'Print every setting and where it comes from, then end'
complete -c flowtop -n "__fish_flowtop_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_needs_command" -s V -l version -d 'Print version'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "top" -d 'Report as tcptop does: what each connection has moved, by process, every second'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "report" -d 'Say who moved how much between two points in time, from recordings of any hosts'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "replay" -d 'Show what was recorded: in the view, or with -t as reports'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "record" -d 'Record what connections move, minute by minute, to a directory'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "watch" -d 'Wait for a rate that stays above a bound, then record, run a command or print'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "doctor" -d 'Say what this kernel offers, which hooks work, and what is missing'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "man" -d 'Print a man page'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c flowtop -n "__fish_flowtop_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s i -l interface -d 'Only sockets with an address of interface IF; any is all' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s f -l filter -d 'Only what the filter expression lets pass, as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s F -l net -d 'Only IPv4 traffic across the border of NET, as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s G -l net6 -d 'Only IPv6 traffic across the border of NET' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s P -l ports -d 'Show ports' -r -f -a "off\t'None: the connections of two hosts are one row'
source-only\t'Those of the left hosts'
destination-only\t'Those of the right hosts'
on\t'Both: each connection is a row'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s u -l unit -d 'Rates in' -r -f -a "bits\t'Bits, K = 1024'
bytes\t'Bytes, K = 1024'
packets\t'TCP segments, K = 1000'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s o -l sort -d 'Sort by' -r -f -a "2s\t'Rate over the last 2 seconds'
10s\t'Rate over the last 10 seconds'
40s\t'Rate over the last 40 seconds'
source\t'Left host, as it is shown'
destination\t'Right host, as it is shown'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s L -l rows -d 'Most rows to list, 0 for all [default: 10 in text, else all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l by -d 'Sum up by what connections have in common, as pod or pod,peer' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l pid -d 'Only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l cgroup -d 'Only connections of the processes in a cgroup' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l mntns -d 'Only connections of the processes in a mount namespace, by its inode number' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l labels -d 'Labels for networks: a file with lines like 10.0.0.0/8 vpc' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l host-root -d 'Where the file system of the host is [default: /]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s m -l max-bandwidth -d 'Full scale of the bars in bit/s, as 10M; M = 1024 K [default: auto]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l theme -d 'Colours' -r -f -a "auto\t'What NO_COLOR, COLORTERM, TERM and COLORFGBG say of the terminal'
dark\t'256 colours on a dark background'
light\t'256 colours on a light background'
ansi\t'The 16 colours of the terminal'
mono\t'No colours'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s s -l seconds -d 'One report after TIME, as 60 or 5m, then end; 0 for reports without end' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l interval -d 'Time between reports without end, as 2 or 500ms' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l format -d 'Form of the reports' -r -f -a "text\t'The layout of iftop\'s text mode'
json\t'One JSON object a report'
csv\t'One line a connection, with a line of names first'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l fields -d 'Fields of CSV lines and JSON flows, in order [default: all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l hooks -d 'Hooks' -r -f -a "auto\t'The first of the following that loads, attaches and counts'
fentry\t'Trampolines'
kprobe\t'kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l holders -d 'How to find out who has a socket open that nobody has used yet' -r -f -a "auto\t'A walk of the kernel over all open files (Linux 5.11), or else proc'
proc\t'The links in /proc/PID/fd, which takes longer'"
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l max-flows -d 'Connections counted one by one' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s C -l noclear -d 'Do not clear the screen before a report'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s S -l nosummary -d 'No line with time and load'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s 4 -l ipv4 -d 'Only IPv4'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s 6 -l ipv6 -d 'Only IPv6'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s l -l link-local -d 'IPv6 link-local connections as well'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s p -l promiscuous -d 'Accepted for iftop\'s sake'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s n -l numeric -d 'Hosts by address, not by name'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s N -l numeric-ports -d 'Ports by number, not by service'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l names -d 'Names of hosts and services in text mode too'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s B -l bytes -d 'Rates in bytes, as -u bytes'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l show-owner -d 'Owners to the right of the rows of a text report'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l no-command-lines -d 'Processes without their command lines'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s b -l no-bars -d 'No bars'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l ascii -d 'ASCII alone, without lines and blocks'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l demo -d 'Made-up traffic, for a first look without any rights'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s t -l text -d 'Reports on stdout, without a screen'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l no-header -d 'CSV without its line of names'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l cost -d 'Add what flowtop itself costs to JSON reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l lenient -d 'Warn where iftop warns and goes on, instead of ending'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -l print-config -d 'Print every setting and where it comes from, then end'
complete -c flowtop -n "__fish_flowtop_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l from -d 'Start of the period [default: that of the first record]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l to -d 'End of the period [default: now; without --from that of the last record]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l timezone -d 'Whose clock is meant, as Europe/Berlin [default: TZ, or that of this system]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l diff -d 'Compare with another period, as \'yesterday 08:00..09:00\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l by -d 'Sum up by what connections have in common, as pod,peer' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l limit -d 'What a link carries in one direction, as 5G: tells how long 80 % of it were exceeded' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -s f -l filter -d 'Only what the filter expression lets pass' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -s L -l rows -d 'Most rows to list, 0 for all [default: 10 in text, else all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l format -d 'Form of the report' -r -f -a "text\t''
json\t''
csv\t''"
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -s B -l bytes -d 'Rates in bytes, not in bits, in text'
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -l no-header -d 'CSV without its line of names'
complete -c flowtop -n "__fish_flowtop_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l at -d 'Begin at the record of this time; with -t it is the only one' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s i -l interface -d 'Only sockets with an address of interface IF; any is all' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s f -l filter -d 'Only what the filter expression lets pass, as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s F -l net -d 'Only IPv4 traffic across the border of NET, as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s G -l net6 -d 'Only IPv6 traffic across the border of NET' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s P -l ports -d 'Show ports' -r -f -a "off\t'None: the connections of two hosts are one row'
source-only\t'Those of the left hosts'
destination-only\t'Those of the right hosts'
on\t'Both: each connection is a row'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s u -l unit -d 'Rates in' -r -f -a "bits\t'Bits, K = 1024'
bytes\t'Bytes, K = 1024'
packets\t'TCP segments, K = 1000'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s o -l sort -d 'Sort by' -r -f -a "2s\t'Rate over the last 2 seconds'
10s\t'Rate over the last 10 seconds'
40s\t'Rate over the last 40 seconds'
source\t'Left host, as it is shown'
destination\t'Right host, as it is shown'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s L -l rows -d 'Most rows to list, 0 for all [default: 10 in text, else all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l by -d 'Sum up by what connections have in common, as pod or pod,peer' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l pid -d 'Only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l cgroup -d 'Only connections of the processes in a cgroup' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l mntns -d 'Only connections of the processes in a mount namespace, by its inode number' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l labels -d 'Labels for networks: a file with lines like 10.0.0.0/8 vpc' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l host-root -d 'Where the file system of the host is [default: /]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s m -l max-bandwidth -d 'Full scale of the bars in bit/s, as 10M; M = 1024 K [default: auto]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l theme -d 'Colours' -r -f -a "auto\t'What NO_COLOR, COLORTERM, TERM and COLORFGBG say of the terminal'
dark\t'256 colours on a dark background'
light\t'256 colours on a light background'
ansi\t'The 16 colours of the terminal'
mono\t'No colours'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s s -l seconds -d 'One report after TIME, as 60 or 5m, then end; 0 for reports without end' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l interval -d 'Time between reports without end, as 2 or 500ms' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l format -d 'Form of the reports' -r -f -a "text\t'The layout of iftop\'s text mode'
json\t'One JSON object a report'
csv\t'One line a connection, with a line of names first'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l fields -d 'Fields of CSV lines and JSON flows, in order [default: all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l hooks -d 'Hooks' -r -f -a "auto\t'The first of the following that loads, attaches and counts'
fentry\t'Trampolines'
kprobe\t'kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l holders -d 'How to find out who has a socket open that nobody has used yet' -r -f -a "auto\t'A walk of the kernel over all open files (Linux 5.11), or else proc'
proc\t'The links in /proc/PID/fd, which takes longer'"
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l max-flows -d 'Connections counted one by one' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s 4 -l ipv4 -d 'Only IPv4'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s 6 -l ipv6 -d 'Only IPv6'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s l -l link-local -d 'IPv6 link-local connections as well'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s p -l promiscuous -d 'Accepted for iftop\'s sake'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s n -l numeric -d 'Hosts by address, not by name'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s N -l numeric-ports -d 'Ports by number, not by service'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l names -d 'Names of hosts and services in text mode too'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s B -l bytes -d 'Rates in bytes, as -u bytes'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l show-owner -d 'Owners to the right of the rows of a text report'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l no-command-lines -d 'Processes without their command lines'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s b -l no-bars -d 'No bars'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l ascii -d 'ASCII alone, without lines and blocks'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l demo -d 'Made-up traffic, for a first look without any rights'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s t -l text -d 'Reports on stdout, without a screen'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l no-header -d 'CSV without its line of names'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l cost -d 'Add what flowtop itself costs to JSON reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l lenient -d 'Warn where iftop warns and goes on, instead of ending'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -l print-config -d 'Print every setting and where it comes from, then end'
complete -c flowtop -n "__fish_flowtop_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s o -l output -d 'Directory to write to [default: /var/lib/flowtop as root]' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l every -d 'Time from record to record, as 60s or 5m [default: 60s]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l for -d 'Time that a record is about, if it is shorter than the time between them [default: all of it]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l count -d 'Records, then end [default: without end]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l top -d 'Only the N connections with most bytes one by one, and the N that repeat most' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l over -d 'Only connections with so many bytes in a record one by one, as 10M; added to --top' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l keep-days -d 'Remove files that are older' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l max-size -d 'Most bytes of all files, 0 for no limit; the oldest are removed before it is exceeded' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l min-free -d 'Bytes to leave free in the file system; the oldest files are removed for it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s i -l interface -d 'Only sockets with an address of interface IF; any is all' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s f -l filter -d 'Only what the filter expression lets pass, as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s F -l net -d 'Only IPv4 traffic across the border of NET, as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s G -l net6 -d 'Only IPv6 traffic across the border of NET' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l pid -d 'Only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l cgroup -d 'Only connections of the processes in a cgroup' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l mntns -d 'Only connections of the processes in a mount namespace, by its inode number' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l labels -d 'Labels for networks: a file with lines like 10.0.0.0/8 vpc' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l host-root -d 'Where the file system of the host is [default: /]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l hooks -d 'Hooks' -r -f -a "auto\t'The first of the following that loads, attaches and counts'
fentry\t'Trampolines'
kprobe\t'kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l holders -d 'How to find out who has a socket open that nobody has used yet' -r -f -a "auto\t'A walk of the kernel over all open files (Linux 5.11), or else proc'
proc\t'The links in /proc/PID/fd, which takes longer'"
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l max-flows -d 'Connections counted one by one' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s q -l quiet -d 'Nothing on stderr but what goes wrong'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l demo -d 'Made-up traffic, without any rights'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s 4 -l ipv4 -d 'Only IPv4'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s 6 -l ipv6 -d 'Only IPv6'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s l -l link-local -d 'IPv6 link-local connections as well'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s p -l promiscuous -d 'Accepted for iftop\'s sake'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l no-command-lines -d 'Processes without their command lines'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l lenient -d 'Warn where iftop warns and goes on, instead of ending'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -l print-config -d 'Print every setting and where it comes from, then end'
complete -c flowtop -n "__fish_flowtop_using_subcommand record" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l when -d 'What is watched for, as \'tx > 4G for 10s and port 443\'; may be repeated' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l then -d 'What is done then: record 5m, exec CMD or print; may be repeated' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l before -d 'Time before that is kept in memory for record' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l hold-off -d 'Time after which it can happen again [default: 1m, or as long as it records]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l count -d 'Times that it may happen, then end [default: without end]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l output -d 'Directory for record [default: watch in the directory of flowtop record]' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l keep-days -d 'Remove files that are older' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l max-size -d 'Most bytes of all files, 0 for no limit; the oldest are removed before it is exceeded' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l min-free -d 'Bytes to leave free in the file system; the oldest files are removed for it' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s i -l interface -d 'Only sockets with an address of interface IF; any is all' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s f -l filter -d 'Only what the filter expression lets pass, as \'port 80 or 443\'' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s F -l net -d 'Only IPv4 traffic across the border of NET, as 10.0.0.0/8' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s G -l net6 -d 'Only IPv6 traffic across the border of NET' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s P -l ports -d 'Show ports' -r -f -a "off\t'None: the connections of two hosts are one row'
source-only\t'Those of the left hosts'
destination-only\t'Those of the right hosts'
on\t'Both: each connection is a row'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s u -l unit -d 'Rates in' -r -f -a "bits\t'Bits, K = 1024'
bytes\t'Bytes, K = 1024'
packets\t'TCP segments, K = 1000'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s o -l sort -d 'Sort by' -r -f -a "2s\t'Rate over the last 2 seconds'
10s\t'Rate over the last 10 seconds'
40s\t'Rate over the last 40 seconds'
source\t'Left host, as it is shown'
destination\t'Right host, as it is shown'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s L -l rows -d 'Most rows to list, 0 for all [default: 10 in text, else all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l by -d 'Sum up by what connections have in common, as pod or pod,peer' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l pid -d 'Only connections of process PID' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l cgroup -d 'Only connections of the processes in a cgroup' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l mntns -d 'Only connections of the processes in a mount namespace, by its inode number' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l labels -d 'Labels for networks: a file with lines like 10.0.0.0/8 vpc' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l host-root -d 'Where the file system of the host is [default: /]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s m -l max-bandwidth -d 'Full scale of the bars in bit/s, as 10M; M = 1024 K [default: auto]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l theme -d 'Colours' -r -f -a "auto\t'What NO_COLOR, COLORTERM, TERM and COLORFGBG say of the terminal'
dark\t'256 colours on a dark background'
light\t'256 colours on a light background'
ansi\t'The 16 colours of the terminal'
mono\t'No colours'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s s -l seconds -d 'One report after TIME, as 60 or 5m, then end; 0 for reports without end' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l interval -d 'Time between reports without end, as 2 or 500ms' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l format -d 'Form of the reports' -r -f -a "text\t'The layout of iftop\'s text mode'
json\t'One JSON object a report'
csv\t'One line a connection, with a line of names first'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l fields -d 'Fields of CSV lines and JSON flows, in order [default: all]' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l hooks -d 'Hooks' -r -f -a "auto\t'The first of the following that loads, attaches and counts'
fentry\t'Trampolines'
kprobe\t'kprobes'
tracepoint\t'Tracepoints'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l holders -d 'How to find out who has a socket open that nobody has used yet' -r -f -a "auto\t'A walk of the kernel over all open files (Linux 5.11), or else proc'
proc\t'The links in /proc/PID/fd, which takes longer'"
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l max-flows -d 'Connections counted one by one' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s c -l config -d 'Read FILE instead of ~/.iftoprc' -r -F
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s 4 -l ipv4 -d 'Only IPv4'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s 6 -l ipv6 -d 'Only IPv6'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s l -l link-local -d 'IPv6 link-local connections as well'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s p -l promiscuous -d 'Accepted for iftop\'s sake'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s n -l numeric -d 'Hosts by address, not by name'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s N -l numeric-ports -d 'Ports by number, not by service'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l names -d 'Names of hosts and services in text mode too'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s B -l bytes -d 'Rates in bytes, as -u bytes'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l show-owner -d 'Owners to the right of the rows of a text report'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l no-command-lines -d 'Processes without their command lines'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s b -l no-bars -d 'No bars'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l ascii -d 'ASCII alone, without lines and blocks'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l demo -d 'Made-up traffic, for a first look without any rights'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s t -l text -d 'Reports on stdout, without a screen'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l no-header -d 'CSV without its line of names'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l cost -d 'Add what flowtop itself costs to JSON reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l lenient -d 'Warn where iftop warns and goes on, instead of ending'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -l print-config -d 'Print every setting and where it comes from, then end'
complete -c flowtop -n "__fish_flowtop_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand doctor" -l max-flows -d 'Connections counted one by one' -r
complete -c flowtop -n "__fish_flowtop_using_subcommand doctor" -l json -d 'One JSON object instead of text'
complete -c flowtop -n "__fish_flowtop_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c flowtop -n "__fish_flowtop_using_subcommand man" -s h -l help -d 'Print help'
complete -c flowtop -n "__fish_flowtop_using_subcommand completions" -s h -l help -d 'Print help'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "top" -d 'Report as tcptop does: what each connection has moved, by process, every second'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "report" -d 'Say who moved how much between two points in time, from recordings of any hosts'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "replay" -d 'Show what was recorded: in the view, or with -t as reports'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "record" -d 'Record what connections move, minute by minute, to a directory'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "watch" -d 'Wait for a rate that stays above a bound, then record, run a command or print'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "doctor" -d 'Say what this kernel offers, which hooks work, and what is missing'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "man" -d 'Print a man page'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "completions" -d 'Print the completions of a shell'
complete -c flowtop -n "__fish_flowtop_using_subcommand help; and not __fish_seen_subcommand_from top report replay record watch doctor man completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'

# Whether the rows of each object and what stands beside them are its totals: `ok` or `bad`, and the file.

def sum(things): reduce things as $thing ([0, 0]; [.[0] + $thing.tx_bytes, .[1] + $thing.rx_bytes]);

(.groups // .flows) as $rows
| if $rows[0] | has("tx_bytes") and has("rx_bytes") then
    sum($rows[], (.others, .remainder, .untracked, .summed_up | values)) == sum((.totals // .total), (.local_twice | values))
  else
    # Without these fields there is nothing to add up.
    $rows | length > 0
  end
| (if . then "ok" else "bad" end) + " " + input_filename

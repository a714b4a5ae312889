package main

import (
	"strings"
	"testing"
)

// Nothing here changes the machine: what is refused is refused before.
func TestNetinitRefusesWhatItCannotMean(t *testing.T) {
	for says, args := range map[string][]string{
		`"x" is neither a port`:     {"--exclude-inbound-ports", "x"},
		`"1-2-3" is neither a port`: {"--exclude-outbound-ports", "1-2-3"},
		`"70000" is neither a port`: {"--exclude-outbound-ports", "70000"},
		"9-3 is not a range":        {"--exclude-outbound-ports", "80,9-3"},
		"0 is not a range":          {"--exclude-inbound-ports", "0"},
		"is not a range such as":    {"--exclude-outbound-ranges", "10.0.0.1; rm -rf /"},
		"bits past its mask":        {"--exclude-outbound-ranges", "10.0.0.1/8"},
		"not the name of an":        {"--exclude-interfaces", "a link"},
		"not a range such as 1":     {"--include-outbound-ranges", "all"},
		`ports: "y" is neither`:     {"--include-inbound-ports", "y"},
		"uid 0 is exempt":           {"--uid", "0"},
		"mark 0 is exempt":          {"--mark", "0"},
		"none of the others can be": {"--mark", "1", "--uid", "1"},
	} {
		if _, said := wants(t, exitUsage, append([]string{"netinit"}, args...)...); !strings.Contains(said, says) {
			t.Errorf("netinit %v says %q, want %q", args, said, says)
		}
	}
}

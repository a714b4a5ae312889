package netinit

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Words are Options as people and annotations write them: PORT or FROM-TO, ranges
// such as 10.0.0.0/8, names of links. The names in JSON are those of the flags.
type Words struct {
	IncludeInbound    []string `json:"include-inbound-ports,omitempty"`
	ExcludeInbound    []string `json:"exclude-inbound-ports,omitempty"`
	IncludeOutbound   []string `json:"include-outbound-ports,omitempty"`
	ExcludeOutbound   []string `json:"exclude-outbound-ports,omitempty"`
	IncludeRanges     []string `json:"include-outbound-ranges,omitempty"`
	ExcludeRanges     []string `json:"exclude-outbound-ranges,omitempty"`
	ExcludeInterfaces []string `json:"exclude-interfaces,omitempty"`
	Own               []string `json:"envoy-ports,omitempty"`
}

// Options reads the words; nobody is exempt in it yet. The error names every list
// that cannot be read.
func (w Words) Options() (o Options, err error) {
	for _, list := range []struct {
		flag  string
		words []string
		to    *[]Ports
	}{
		{"exclude-inbound-ports", w.ExcludeInbound, &o.ExcludeInbound},
		{"include-inbound-ports", w.IncludeInbound, &o.IncludeInbound},
		{"exclude-outbound-ports", w.ExcludeOutbound, &o.ExcludeOutbound},
		{"include-outbound-ports", w.IncludeOutbound, &o.IncludeOutbound},
		{"envoy-ports", w.Own, &o.Own},
	} {
		ports, bad := parsePorts(list.flag, list.words)
		*list.to, err = ports, errors.Join(err, bad)
	}
	var errIn, errOut error
	o.IncludeRanges, errIn = parseRanges("include-outbound-ranges", w.IncludeRanges)
	o.ExcludeRanges, errOut = parseRanges("exclude-outbound-ranges", w.ExcludeRanges)
	o.ExcludeInterfaces = w.ExcludeInterfaces
	return o, errors.Join(err, errIn, errOut)
}

// parsePorts reads PORT and FROM-TO.
func parsePorts(flag string, words []string) ([]Ports, error) {
	var out []Ports
	for _, w := range words {
		from, to, isRange := strings.Cut(w, "-")
		a, errA := strconv.ParseUint(from, 10, 16)
		b, errB := a, error(nil)
		if isRange {
			b, errB = strconv.ParseUint(to, 10, 16)
		}
		if errA != nil || errB != nil {
			return nil, fmt.Errorf("%s: %q is neither a port nor FROM-TO", flag, w)
		}
		out = append(out, Ports{From: uint16(a), To: uint16(b)})
	}
	return out, nil
}

func parseRanges(flag string, words []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, w := range words {
		p, err := netip.ParsePrefix(w)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a range such as 10.0.0.0/8", flag, w)
		}
		out = append(out, p)
	}
	return out, nil
}

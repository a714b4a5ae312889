package inject

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
)

// options are what annotations may say of one pod's proxy.
type options struct {
	image, logLevel      string
	concurrency          string
	form                 Form
	hold                 bool
	resources            map[string]string // cpu-request, ...
	lists                map[string][]string
	excludeIn, includeIn []portRange
}

// kind of an annotation's value.
type kind int

const (
	words kind = iota // one word
	ports
	ranges
	names
	quantity
	flag
	count
)

// annotation is one that a pod, its namespace or the mesh's settings may have.
type annotation struct {
	name string // after meshc.dev/
	kind kind
	osm  string // what Open Service Mesh calls it, after openservicemesh.io/
	flag string // of meshc netinit, for lists
	of   []string
}

var annotations = []annotation{
	{name: "proxy-image", kind: words},
	{name: "proxy-log-level", kind: words, of: []string{"trace", "debug", "info", "warning", "error", "critical", "off"}},
	{name: "proxy-concurrency", kind: count},
	{name: "proxy-cpu-request", kind: quantity},
	{name: "proxy-cpu-limit", kind: quantity},
	{name: "proxy-memory-request", kind: quantity},
	{name: "proxy-memory-limit", kind: quantity},
	{name: "native-sidecar", kind: flag},
	{name: "hold-application", kind: flag},
	{name: "include-inbound-ports", kind: ports, flag: "--include-inbound-ports"},
	{name: "exclude-inbound-ports", kind: ports, flag: "--exclude-inbound-ports", osm: "inbound-port-exclusion-list"},
	{name: "include-outbound-ports", kind: ports, flag: "--include-outbound-ports"},
	{name: "exclude-outbound-ports", kind: ports, flag: "--exclude-outbound-ports", osm: "outbound-port-exclusion-list"},
	{name: "include-outbound-ranges", kind: ranges, flag: "--include-outbound-ranges", osm: "outbound-ip-range-inclusion-list"},
	{name: "exclude-outbound-ranges", kind: ranges, flag: "--exclude-outbound-ranges", osm: "outbound-ip-range-exclusion-list"},
	{name: "exclude-interfaces", kind: names, flag: "--exclude-interfaces"},
}

const ours, theirs = "meshc.dev/", "openservicemesh.io/"

// read is what the pod's annotations say, else its namespace's, else the mesh's. A
// list is joined from all of them; OSM's names are read like ours.
func (i *injection) read() options {
	o := options{logLevel: "warning", concurrency: "2", form: i.settings.Form, hold: true, image: i.settings.EnvoyImage,
		resources: map[string]string{"cpu-request": "10m", "memory-request": "64Mi"}, lists: map[string][]string{}}
	for _, a := range annotations {
		said := i.said(a)
		if len(said) == 0 {
			continue
		}
		if a.flag != "" {
			for _, w := range said {
				o.lists[a.flag] = append(o.lists[a.flag], i.list(a, w)...)
			}
			slices.Sort(o.lists[a.flag])
			o.lists[a.flag] = slices.Compact(o.lists[a.flag])
			continue
		}
		if i.fits(a, said[0]) {
			o.set(a.name, said[0].value)
		}
	}
	o.excludeIn, o.includeIn = portRanges(o.lists["--exclude-inbound-ports"]), portRanges(o.lists["--include-inbound-ports"])
	i.misspelt()
	return o
}

// said is every value of an annotation, the one that counts first.
func (i *injection) said(a annotation) []saying {
	var out []saying
	heard := func(where, path, key, value string) {
		if value != "" {
			out = append(out, saying{where, path, key, value})
		}
	}
	for _, key := range a.keys() {
		heard("the pod", "metadata.annotations", key, text(i.pod, "metadata", "annotations", key))
	}
	for _, key := range a.keys() {
		heard("namespace "+i.ns.Name, "", key, i.ns.Annotations[key])
	}
	heard("the mesh", "", ours+a.name, i.settings.Defaults[ours+a.name])
	return out
}

func (a annotation) keys() []string {
	if a.osm == "" {
		return []string{ours + a.name}
	}
	return []string{ours + a.name, theirs + a.osm}
}

func (o *options) set(name, value string) {
	switch name {
	case "proxy-image":
		o.image = value
	case "proxy-log-level":
		o.logLevel = value
	case "proxy-concurrency":
		o.concurrency = value
	case "native-sidecar":
		o.form = Classic
		if value == "true" {
			o.form = Native
		}
	case "hold-application":
		o.hold = value == "true"
	default:
		o.resources[strings.TrimPrefix(name, "proxy-")] = value
	}
}

// fits tells whether a value is one of its kind; else it is a finding.
func (i *injection) fits(a annotation, w saying) bool {
	want := ""
	switch a.kind {
	case flag:
		if w.value != "true" && w.value != "false" {
			want = "true or false"
		}
	case count:
		if n, err := strconv.ParseUint(w.value, 10, 16); err != nil || n == 0 {
			want = "a number of threads, from 1"
		}
	case quantity:
		if !isQuantity(w.value) {
			want = "a quantity such as 100m or 128Mi"
		}
	case words:
		if strings.ContainsAny(w.value, " \t\n") {
			want = "one word"
		} else if a.of != nil && !slices.Contains(a.of, w.value) {
			want = "one of " + strings.Join(a.of, ", ")
		}
	}
	if want != "" {
		i.add("MSH4033", w.path, "%s says %s: %q, which is not %s", w.where, w.key, w.value, want)
	}
	return want == ""
}

// list takes a list apart; what does not fit is a finding each.
func (i *injection) list(a annotation, w saying) []string {
	var out []string
	for word := range strings.SplitSeq(w.value, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		want := ""
		switch a.kind {
		case ports:
			if _, ok := parseRange(word); !ok {
				want = "a port or FROM-TO"
			}
		case ranges:
			if p, err := netip.ParsePrefix(word); err != nil || p != p.Masked() || p.Addr().Is4In6() {
				want = "a range such as 10.0.0.0/8"
			}
		case names:
			if len(word) > 15 || strings.ContainsAny(word, "/ \t") {
				want = "the name of an interface"
			}
		}
		if want != "" {
			i.add("MSH4033", w.path, "%s says %s: %q is not %s", w.where, w.key, word, want)
			continue
		}
		out = append(out, word)
	}
	return out
}

// misspelt warns of annotations that look like ours and are none.
func (i *injection) misspelt() {
	known := []string{injectWord, recordAnnotation, meshMetrics}
	for _, a := range annotations {
		known = append(known, ours+a.name)
	}
	var keys []string
	for k := range child(child(i.pod, "metadata"), "annotations") {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !strings.HasPrefix(k, ours) || slices.Contains(known, k) {
			continue
		}
		if near := diag.Nearest(k, known); near != "" {
			f := i.add("MSH4037", "metadata.annotations", "annotation %q is none that injection knows", k)
			*f = f.WithHelp("did you mean %s?", near)
		}
	}
}

// portRange is FROM-TO, both in it.
type portRange struct{ from, to uint64 }

func parseRange(word string) (portRange, bool) {
	from, to, isRange := strings.Cut(word, "-")
	a, errA := strconv.ParseUint(from, 10, 16)
	b, errB := a, error(nil)
	if isRange {
		b, errB = strconv.ParseUint(to, 10, 16)
	}
	return portRange{a, b}, errA == nil && errB == nil && a > 0 && a <= b
}

func portRanges(words []string) []portRange {
	var out []portRange
	for _, w := range words {
		if r, ok := parseRange(w); ok {
			out = append(out, r)
		}
	}
	return out
}

// direct tells whether a port of the pod is reached without the proxy.
func (o options) direct(port int64) bool {
	in := func(list []portRange) bool {
		return slices.ContainsFunc(list, func(r portRange) bool { return uint64(port) >= r.from && uint64(port) <= r.to })
	}
	return in(o.excludeIn) || len(o.includeIn) > 0 && !in(o.includeIn)
}

var digits = regexp.MustCompile(`^[0-9]*\.?[0-9]+`)

// isQuantity tells whether Kubernetes takes a word as an amount above nothing.
func isQuantity(s string) bool {
	number := digits.FindString(s)
	n, err := strconv.ParseFloat(number, 64)
	suffixes := []string{"", "n", "u", "m", "k", "Ki", "M", "Mi", "G", "Gi", "T", "Ti", "P", "Pi", "E", "Ei"}
	return err == nil && n > 0 && slices.Contains(suffixes, strings.TrimPrefix(s, number))
}

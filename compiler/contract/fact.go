package contract

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// String is the fact in one line: what it is about, then what is said of it.
func (f Fact) String() string {
	words := []string{f.about()}
	switch f.Kind {
	case kindService, kindAccount:
		words = appendIf(words, f.Headless, "headless")
		words = appendIf(words, f.Outside, "outside")
	case kindPort:
		words = append(words, string(f.Protocol))
		words = appendIf(words, f.Target != "", "target="+f.Target)
		words = appendIf(words, f.Plaintext, "plaintext")
	case kindNamespace:
		for _, k := range slices.Sorted(maps.Keys(f.Labels)) {
			words = append(words, k+"="+f.Labels[k])
		}
	}
	return strings.Join(words, " ")
}

func appendIf(words []string, yes bool, word string) []string {
	if yes {
		return append(words, word)
	}
	return words
}

// about is equal for two facts of which only one can be.
func (f Fact) about() string {
	switch f.Kind {
	case kindNamespace:
		return kindNamespace + " " + f.Name
	case kindAbsent:
		return kindAbsent + " service " + f.service().String()
	case kindPort:
		if f.Protocol == ir.UDP {
			return kindPort + " " + f.portID().String() + "/UDP"
		}
		return kindPort + " " + f.portID().String()
	case kindBehind:
		return kindBehind + " " + f.service().String() + " " + f.Account
	case kindOpened:
		return kindOpened + " " + f.account() + " " + f.opens()
	case kindRole, kindSplit:
		words := []string{f.Kind, f.account()}
		for _, s := range f.Services {
			words = append(words, s.String())
		}
		return strings.Join(words, " ")
	}
	return f.Kind + " " + f.account()
}

// opens is CLASS or CLASS:PORT.
func (f Fact) opens() string {
	if f.Port == 0 {
		return string(f.Protocol)
	}
	return string(f.Protocol) + ":" + strconv.Itoa(int(f.Port))
}

// home is the namespace whose contract holds the fact.
func (f Fact) home() string {
	if f.Kind == kindNamespace {
		return f.Name
	}
	return f.Namespace
}

// parseFact reads what String writes.
func parseFact(line string) (Fact, error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return Fact{}, fmt.Errorf("%q is no fact: it does not say what it is about", line)
	}
	f, rest := Fact{Kind: words[0]}, words[2:]
	var err error
	switch f.Kind {
	case kindAbsent:
		if words[1] != kindService || len(rest) != 1 {
			return f, fmt.Errorf("%q is no fact: write absent service NAMESPACE/NAME", line)
		}
		return f, f.name(rest[0])
	case kindNamespace:
		f.Name = words[1]
		return f, f.labels(rest)
	case kindPort:
		return f, f.port(words[1], rest)
	case kindService, kindAccount:
		if err = f.name(words[1]); err == nil {
			err = f.flags(rest)
		}
	case kindBehind, kindOpened:
		if err = f.name(words[1]); err != nil || len(rest) != 1 {
			return f, fmt.Errorf("%q is no fact: %s has two names", line, f.Kind)
		}
		if f.Account = rest[0]; f.Kind == kindOpened {
			f.Account = ""
			err = f.opening(rest[0])
		}
	case kindRole, kindSplit:
		err = f.role(words[1], rest)
	default:
		return f, fmt.Errorf("%q is no kind of fact", f.Kind)
	}
	return f, err
}

func (f *Fact) name(word string) error {
	id, ok := serviceID(word)
	if !ok {
		return fmt.Errorf("%q is not NAMESPACE/NAME", word)
	}
	f.Namespace, f.Name = id.Namespace, id.Name
	return nil
}

func serviceID(word string) (ir.ServiceID, bool) {
	ns, name, ok := strings.Cut(word, "/")
	return ir.ServiceID{Namespace: ns, Name: name}, ok && ns != "" && name != "" && !strings.Contains(name, "/")
}

func (f *Fact) flags(words []string) error {
	for _, w := range words {
		switch {
		case w == "outside":
			f.Outside = true
		case w == "headless" && f.Kind == kindService:
			f.Headless = true
		default:
			return fmt.Errorf("%q is not understood after %s", w, f.about())
		}
	}
	return nil
}

func (f *Fact) labels(words []string) error {
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return fmt.Errorf("%q is not LABEL=VALUE", w)
		}
		if f.Labels == nil {
			f.Labels = map[string]string{}
		}
		f.Labels[k] = v
	}
	return nil
}

// protocols are what a port may be carried as.
var protocols = []ir.Protocol{ir.HTTP, ir.HTTP2, ir.GRPC, ir.TCP, ir.TCPServerFirst, ir.TLS, ir.UDP}

func (f *Fact) port(name string, words []string) error {
	service, number, _ := strings.Cut(name, ":")
	number = strings.TrimSuffix(number, "/UDP")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not NAMESPACE/NAME:PORT", name)
	}
	if f.Port = uint16(n); len(words) == 0 || !slices.Contains(protocols, ir.Protocol(words[0])) {
		return fmt.Errorf("the fact about %s does not say its protocol", name)
	}
	f.Protocol = ir.Protocol(words[0])
	for _, w := range words[1:] {
		target, isTarget := strings.CutPrefix(w, "target=")
		switch {
		case isTarget && target != "":
			f.Target = target
		case w == "plaintext":
			f.Plaintext = true
		default:
			return fmt.Errorf("%q of port %s is none of target=, plaintext", w, name)
		}
	}
	return f.name(service)
}

func (f *Fact) opening(word string) error {
	protocol, number, one := strings.Cut(word, ":")
	f.Protocol = ir.Protocol(protocol)
	if !slices.Contains([]string{"http", "tcp", "udp"}, protocol) {
		return fmt.Errorf("%q is none of http, tcp, udp", protocol)
	}
	if !one {
		return nil
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is no number of a port", number)
	}
	f.Port = uint16(n)
	return nil
}

func (f *Fact) role(account string, services []string) error {
	for _, s := range services {
		id, ok := serviceID(s)
		if !ok {
			return fmt.Errorf("%q is not NAMESPACE/NAME", s)
		}
		f.Services = append(f.Services, id)
	}
	slices.SortFunc(f.Services, ir.ServiceID.Compare)
	return f.name(account)
}

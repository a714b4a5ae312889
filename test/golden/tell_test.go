package golden

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
)

func itoa(n int) string { return strconv.Itoa(n) }

// plainYAML prints plain data with sorted keys.
func plainYAML(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// plain makes plain data of anything that has a JSON form.
func plain(t *testing.T, raw []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return numbered(v)
}

// numbered makes whole numbers of JSON's, so that large ones are not printed as floats.
func numbered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = numbered(e)
		}
	case []any:
		for i, e := range v {
			v[i] = numbered(e)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	return v
}

// tellIR prints parts of the IR: lines such as "grants".
func tellIR(t *testing.T, m *ir.Mesh, parts []string) []byte {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	whole, out := plain(t, raw).(map[string]any), map[string]any{}
	for _, p := range parts {
		value, ok := whole[p]
		if !ok {
			t.Fatalf("ask/ir: the IR has no %q", p)
		}
		out[p] = value
	}
	return plainYAML(t, out)
}

// tellEnvoy prints resources: lines of TYPE NAME [PATH into it, dotted].
func tellEnvoy(t *testing.T, p *ir.Plan, asks []string) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, ask := range asks {
		words := strings.Fields(ask)
		if len(words) < 2 || len(words) > 3 {
			t.Fatalf("ask/envoy: %q is not TYPE NAME [PATH]", ask)
		}
		fmt.Fprintf(&out, "# %s\n", ask)
		found := 0
		for _, r := range p.Resources {
			if string(r.Type) != words[0] || r.Name != words[1] {
				continue
			}
			found++
			value := decoded(t, r)
			if len(words) == 3 {
				value = descend(value, strings.Split(words[2], "."))
			}
			out.Write(plainYAML(t, value))
		}
		if found == 0 {
			out.WriteString("not there\n")
		}
	}
	return out.Bytes()
}

func decoded(t *testing.T, r ir.Resource) any {
	t.Helper()
	name := protoreflect.FullName(strings.TrimPrefix(bundle.TypeURL(r.Type), "type.googleapis.com/"))
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		t.Fatal(err)
	}
	m := kind.New().Interface()
	if err := proto.Unmarshal(r.Body, m); err != nil {
		t.Fatalf("%s %q: %v", r.Type, r.Name, err)
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return plain(t, raw)
}

// descend follows a path of field names and list indices; what is not there is null.
func descend(v any, path []string) any {
	for _, step := range path {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// tellVerdicts answers lines of FROM TO METHOD PATH [name:value...], or FROM TO
// tcp, by the IR and by the compiled configuration: these must agree.
func tellVerdicts(t *testing.T, r *compiler.Result, asks []string) []byte {
	t.Helper()
	compiled, err := verify.New(r.Plan, r.Mesh.Settings.ServiceRanges...)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, ask := range asks {
		request := parseRequest(t, r.Mesh, ask)
		meant := ir.Decide(r.Mesh, request)
		if does, err := compiled.Decide(request); err != nil {
			t.Errorf("%s: %v", ask, err)
		} else if why := meant.Disagreement(does); why != "" {
			t.Errorf("%s: the configuration does not do what the mesh means: %s", ask, why)
		}
		fmt.Fprintf(&out, "%s\n  %s", ask, meant.Outcome)
		if meant.Status != 0 {
			fmt.Fprintf(&out, " %d", meant.Status)
		}
		if len(meant.By) > 0 {
			fmt.Fprintf(&out, " by %s", strings.Join(meant.By, ", "))
		}
		fmt.Fprintf(&out, "\n  %s\n", meant.Reason)
		for _, l := range meant.Leaves {
			if len(meant.Leaves) > 1 {
				fmt.Fprintf(&out, "  %s as %s, weight %d: %s\n", l.Service, l.Account.Short(), l.Weight, l.Outcome)
			}
		}
	}
	return out.Bytes()
}

func parseRequest(t *testing.T, m *ir.Mesh, ask string) ir.Request {
	t.Helper()
	words := strings.Fields(ask)
	if len(words) < 3 {
		t.Fatalf("ask/verdicts: %q is too short", ask)
	}
	var r ir.Request
	if words[0] != "outside" {
		id, ok := ir.ParseIdentity(m.Settings.TrustDomain, words[0])
		if !ok {
			t.Fatalf("ask/verdicts: %q is no identity", words[0])
		}
		r.From = id
	}
	if external, ok := strings.CutPrefix(words[1], "external:"); ok {
		r.External = external
	} else {
		r.To = parsePort(t, words[1])
	}
	if words[2] == "tcp" {
		return r
	}
	r.HTTP = &ir.HTTPRequest{Method: words[2], Path: words[3]}
	for _, h := range words[4:] {
		name, value, _ := strings.Cut(h, ":")
		r.HTTP.Headers = append(r.HTTP.Headers, ir.Header{Name: name, Value: value})
	}
	return r
}

func parsePort(t *testing.T, s string) ir.PortID {
	t.Helper()
	namespace, rest, _ := strings.Cut(s, "/")
	name, number, _ := strings.Cut(rest, ":")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		t.Fatalf("ask/verdicts: %q is not NAMESPACE/SERVICE:PORT", s)
	}
	return ir.PortID{Service: ir.ServiceID{Namespace: namespace, Name: name}, Port: uint16(port)}
}

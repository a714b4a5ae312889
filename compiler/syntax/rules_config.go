package syntax

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// decodeRules reads spec.rules, or that of an environment: folders and keys
// replace those before, parameters and severities are laid over one by one.
func decodeRules(r *record, cfg *RulesConfig) {
	if r == nil {
		return
	}
	if c := r.get("dirs"); c != nil {
		cfg.Dirs = c.strings()
	}
	if c := r.get("trust"); c != nil {
		cfg.Trust = c.strings()
	}
	for _, rule := range r.get("params").entries() {
		for _, p := range rule.entries() {
			param := RuleParam{Code: rule.key.(string), Name: p.key.(string), Value: Plain(p.n), Path: p.path()}
			cfg.Params = slices.DeleteFunc(cfg.Params, func(o RuleParam) bool { return o.Code == param.Code && o.Name == param.Name })
			cfg.Params = append(cfg.Params, param)
		}
	}
	for _, s := range r.get("severity").entries() {
		level := RuleSeverity{Code: s.key.(string), Severity: s.level(), Path: s.path()}
		cfg.Severity = slices.DeleteFunc(cfg.Severity, func(o RuleSeverity) bool { return o.Code == level.Code })
		cfg.Severity = append(cfg.Severity, level)
	}
	if v := r.get("maxWaiver").duration(); v != nil {
		cfg.MaxWaiver = *v
	}
	if v := r.get("commentWaivers").boolean(); v != nil {
		cfg.CommentWaivers = *v
	}
	r.done()
}

// level is a severity or off, which YAML 1.1 takes for a boolean and which nobody
// could mean otherwise here.
func (c *cursor) level() string {
	if c.n.Kind == yaml.ScalarNode && c.n.Value == "off" {
		return "off"
	}
	return c.oneOf("error", "warning", "info", "off")
}

// Plain is a value without its positions: string, float64, bool, nil, []any or
// map[string]any. Numbers that are not finite are text, as JSON has none.
func Plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = Plain(n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			out[i] = Plain(item)
		}
		return out
	case yaml.AliasNode:
		return Plain(n.Alias)
	}
	return scalar(n)
}

func scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int", "!!float":
		if v, err := strconv.ParseFloat(n.Value, 64); err == nil && v-v == 0 {
			return v
		}
		var v float64
		if n.Decode(&v) == nil && v-v == 0 {
			return v
		}
	}
	return n.Value
}

// Document is the object as it was written (an alias-free map), or as it was
// rendered; nil for an object that was made by hand. It must not be changed.
func (o *Object) Document() *yaml.Node { return o.positions.nodes() }

// Borrow is Document for a while: nothing may hold on to a node once it is given back.
func (o *Object) Borrow() (root *yaml.Node, back func()) { return o.positions.borrowed() }

// PathText writes a path as findings show it: spec.rules[0].name.
func PathText(path []any) string { return pathText(path) }

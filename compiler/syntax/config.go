package syntax

import (
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// Config is meshc.yaml (kind Mesh), decoded strictly with positions. Zero values
// are what was not written; resolve fills the defaults of DESIGN 9.
type Config struct {
	Object            *Object // for positions; nil when there is no meshc.yaml
	Name              string
	TrustDomain       string
	ClusterDomain     string
	Mode              string
	Egress            string
	Plaintext         string
	Compat            string
	Namespaces        map[string]NamespaceConfig
	Sources           []SourceConfig
	Lock              LockConfig
	Assume            []ir.Fact
	DenialBody        *bool
	DenialHeader      *bool
	TCPDrain          *time.Duration
	MaxStreamDuration *time.Duration
	AuthGrace         *time.Duration
	// BreakGlassLongest is how long a BreakGlass may open something; 0: none may.
	BreakGlassLongest *time.Duration
	LeafLifetime      *time.Duration
	Intermediate      *time.Duration
	ServiceRanges     []string
	PodRanges         []string
	Targets           []string
	Rules             RulesConfig
	// Waivers are those of the mesh, then those of the environment, as written; those
	// of files are not among them: Session.Waivers.
	Waivers []Waiver
	// Environment is the name of the environment that was laid over it, if any.
	Environment string
	// Environments are the names of all of them, in the order written.
	Environments []string
}

// NamespaceConfig is an entry of spec.namespaces; empty strings follow the mesh.
type NamespaceConfig struct{ Mode, Egress, Plaintext string }

// SourceConfig is an entry of spec.sources.
type SourceConfig struct {
	Path      string // a file or a folder
	Kustomize string // a kustomization folder, instead of Path
	Namespace string // default namespace of its objects
	At        diag.Span
}

// RulesConfig is spec.rules.
type RulesConfig struct {
	Dirs []string // folders, and rule sets in registries
	// Trust are files of public keys, of which one must have signed each rule set.
	Trust []string
	// Params are the parameters of rules, by code and name, as plain values
	// (string, float64, bool, []any, map[string]any), in the order written.
	Params []RuleParam
	// Severity is error, warning, info or off, by code, in the order written.
	Severity []RuleSeverity
	// CommentWaivers lets comments in manifests be waivers.
	CommentWaivers bool
	// MaxWaiver is how far ahead the end of a waiver may lie; 0: not written.
	MaxWaiver time.Duration
}

// RuleParam is a parameter of a rule, as written.
type RuleParam struct {
	Code, Name string
	Value      any
	Path       []any // in meshc.yaml, for positions
}

// RuleSeverity is the severity that is to replace a rule's own.
type RuleSeverity struct {
	Code, Severity string
	Path           []any
}

// LockConfig is spec.lock.
type LockConfig struct {
	File   string
	MaxAge time.Duration // 0: not written
}

// VerdictTable is a test of the mesh (DESIGN 9).
type VerdictTable struct {
	Object *Object
	Name   string
	Cases  []VerdictCase
}

// VerdictCase is one case of a table, as written.
type VerdictCase struct {
	Name    string
	From    string
	To      string
	HTTP    *VerdictHTTP
	TCP     bool
	Expect  string         // allow, deny, mixed
	Status  int            // 0: not written
	Split   map[string]int // percent by backend Service; "denied" for the refused share
	Because []string       // nil: not written; "none" for no grant
	At      diag.Span
}

// VerdictHTTP is the request of a case. A header given as a list has several lines.
type VerdictHTTP struct {
	Method, Path string
	Headers      []Header
}

package protocol

// DocumentID names a document.
type DocumentID struct {
	URI string `json:"uri"`
}

// VersionedID names a state of a document.
type VersionedID struct {
	URI     string `json:"uri"`
	Version int32  `json:"version"`
}

// DidOpen is textDocument/didOpen.
type DidOpen struct {
	TextDocument struct {
		URI        string `json:"uri"`
		LanguageID string `json:"languageId"`
		Version    int32  `json:"version"`
		Text       string `json:"text"`
	} `json:"textDocument"`
}

// DidChange is textDocument/didChange: changes one after the other.
type DidChange struct {
	TextDocument   VersionedID `json:"textDocument"`
	ContentChanges []Change    `json:"contentChanges"`
}

// DocumentParams are those of what concerns a whole document: didClose, didSave,
// documentSymbol.
type DocumentParams struct {
	TextDocument DocumentID `json:"textDocument"`
}

// PlaceParams are those of what concerns a place: hover, definition, completion.
type PlaceParams struct {
	TextDocument DocumentID `json:"textDocument"`
	Position     Position   `json:"position"`
}

// ReferenceParams are those of textDocument/references.
type ReferenceParams struct {
	PlaceParams
	Context struct {
		IncludeDeclaration bool `json:"includeDeclaration"`
	} `json:"context"`
}

// RenameParams are those of textDocument/rename.
type RenameParams struct {
	PlaceParams
	NewName string `json:"newName"`
}

// Location is a place in a document.
type Location struct {
	URI   string `json:"uri"`
	Range Range  `json:"range"`
}

// Severities and tags of diagnostics.
const (
	SeverityError       = 1
	SeverityWarning     = 2
	SeverityInformation = 3
	SeverityHint        = 4

	TagUnnecessary = 1
	TagDeprecated  = 2
)

// Diagnostic is a finding as editors show it.
type Diagnostic struct {
	Range              Range            `json:"range"`
	Severity           int              `json:"severity"`
	Code               string           `json:"code"`
	CodeDescription    *CodeDescription `json:"codeDescription,omitempty"`
	Source             string           `json:"source"`
	Message            string           `json:"message"`
	Tags               []int            `json:"tags,omitempty"`
	RelatedInformation []Related        `json:"relatedInformation,omitempty"`
}

// CodeDescription is a link to what a code means.
type CodeDescription struct {
	Href string `json:"href"`
}

// Related is another place that a diagnostic is about.
type Related struct {
	Location Location `json:"location"`
	Message  string   `json:"message"`
}

// PublishDiagnostics replaces those of a document.
type PublishDiagnostics struct {
	URI         string       `json:"uri"`
	Version     *int32       `json:"version,omitempty"`
	Diagnostics []Diagnostic `json:"diagnostics"`
}

// Hover is what is shown beside a place.
type Hover struct {
	Contents Markup `json:"contents"`
	Range    *Range `json:"range,omitempty"`
}

// Markup is a text; Kind is markdown or plaintext.
type Markup struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// TextEdit replaces a range.
type TextEdit struct {
	Range   Range  `json:"range"`
	NewText string `json:"newText"`
}

// WorkspaceEdit is edits by document; none of one document overlap.
type WorkspaceEdit struct {
	Changes map[string][]TextEdit `json:"changes"`
}

# The option reference: one heading an option, in the order of their names, with its type, default, example and description.
{ lib }:
options:
let
  visible = lib.filter (option: option.visible && !option.internal && option.type != "submodule") (
    lib.optionAttrSetToDocList (
      removeAttrs options [
        "_module"
        "assertions"
        "warnings"
      ]
    )
  );
  plain = value: if value ? text then value.text else value;
  line = title: value: "- ${title}: `${lib.replaceStrings [ "\n" ] [ " " ] (plain value)}`\n";
  entry =
    option:
    "\n## ${option.name}\n\n"
    + line "Type" option.type
    + lib.optionalString (option ? default && plain option.default != "null") (line "Default" option.default)
    + lib.optionalString (option ? example) (line "Example" option.example)
    + "\n${plain option.description}\n";
in
"# Options of a site\n" + lib.concatMapStrings entry (lib.sort (a: b: a.name < b.name) visible)

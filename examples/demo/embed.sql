select d.id, d.qualified_name, d.doc, d.module, m.email as maintainer
from main.entry_docs d
join main.maintainers m on m.id = d.maintainer_id
